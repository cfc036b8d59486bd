"""The audit service: audits of a service management system, their findings, and what became of them."""
