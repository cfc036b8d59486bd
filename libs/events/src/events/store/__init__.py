"""The store: facts in order, the states that follow from them, and everything appended in one round trip."""
