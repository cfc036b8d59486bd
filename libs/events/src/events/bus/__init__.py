"""The bus: announcements leave by the relay in the order of their positions, and are heard once in effect."""
