"""The improvement service: every finding, breach and risk becomes a corrective action that is proved to work."""
