"""The configuration against what the library has: tables of losses, formats and metrics, each entry with its name.

The sections of :mod:`..settings` are plain data and import no table. What a name in them refers to is looked up here.
"""
