"""Our own server of the Sayd Listen API.

``embedded`` and ``standalone`` are its two entrances; they are cheap to import, and load
Starlette and uvicorn when they are used.
"""
