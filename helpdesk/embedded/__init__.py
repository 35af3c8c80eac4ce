"""The embedded default: PostgreSQL, Valkey and every process of Twofold from one command and one data folder.

Standard library only, so that the supervisor stays small. Nothing here knows what Twofold does: programs go by name.
"""
