"""The operations of ``openapi.yaml``, a file per family; ``Client`` puts them together.

Each method carries the operation's ``operationId``. ``operations_async`` is made from this by
``tools/async_from_sync.py``: edit here, then run it.
"""
