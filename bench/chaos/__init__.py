"""The product under kill -9, with a witness outside it for every message.

``scene`` is a real installation in a folder of its own, ``workers`` are its processes, ``load`` writes to it as customers
and agents do, ``faults`` breaks it, ``sink`` is the mail server that survives everything and remembers every message it
took, and ``verdict`` compares what was promised, what is in the database and what the mail server saw.
"""
