# Made by tools/async_from_sync.py. Edit the synchronous form.
"""The operations for coroutines."""
