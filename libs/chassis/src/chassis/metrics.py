"""What Prometheus may ask; one registry per application, so that several can live in one test process."""

from prometheus_client import CollectorRegistry, Gauge, Histogram, PlatformCollector, ProcessCollector

_BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """The instruments of one application."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.requests = Histogram(
            "closeloop_http_request_seconds",
            "Time from the first byte of a request to the end of its answer.",
            ("method", "route", "status"),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.ready = self._gauge("ready", "1 when this process can serve requests.")
        self.degraded = self._gauge("degraded", "How many things do not work as they should; /readyz names them.")
        self.commands_waiting = self._gauge("commands_waiting", "Decided commands that wait to be written.")
        self.scheduler_silence = self._gauge("scheduler_silence_seconds", "Since deadlines were looked at last.")
        self.deadlines_parked = self._gauge("deadlines_parked", "Deadlines that did not move on when they were due.")
        self.deadlines_held_up = self._gauge("deadlines_held_up", "Deadlines that could not be told for half a minute.")
        self.states_older = self._gauge("states_older", "Rows of an older shape, still to be folded anew.", "kind")
        self.states_stuck = self._gauge("states_stuck", "Rows of an older shape that cannot be folded anew.")
        self.bus_connected = self._gauge("bus_connected", "1 while NATS is connected.")
        self.relay_leads = self._gauge("relay_leads", "1 while this process is the one that announces.")
        self.relay_halted = self._gauge("relay_halted", "1 while an operator must decide about an older database.")
        self.relay_lag = self._gauge("relay_lag_positions", "Positions that the relay has not dealt with.")
        self.relay_oldest = self._gauge("relay_oldest_seconds", "Age of the oldest announcement not on the bus.")
        self.dead_letters = self._gauge("dead_letters_parked", "Messages that could not be handled.")
        self.gaps = self._gauge("inbox_gaps", "Streams of other services of which a version is missing.")
        self.pending = self._gauge("bus_pending", "Messages of a service that are not yet dealt with.", "source")

    def _gauge(self, name: str, about: str, *labels: str) -> Gauge:
        return Gauge(f"closeloop_{name}", about, labels, registry=self.registry)
