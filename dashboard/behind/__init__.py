"""The rooms behind the door (`dashboard.data`): the only ones that cache, know the clock and open the store."""
