"""The operations of ``openapi.yaml``, a file per family; ``Client`` puts them together.

Each method carries the operation's ``operationId``. ``operations_async`` is made of this by
``tools/async_from_sync.py``, by every build and by make, and is not committed.
"""
