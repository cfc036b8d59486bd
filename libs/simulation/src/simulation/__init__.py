"""The servers that services stand on, simulated in one process: whatever a seed does to them can be done again."""
