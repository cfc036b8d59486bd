-- One database for each service; none reads another's.
CREATE DATABASE audit;
CREATE DATABASE sla;
CREATE DATABASE risk;
CREATE DATABASE improvement;
