"""The chassis: what every service has in common beside its events. Domains never import it."""
