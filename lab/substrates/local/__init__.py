"""The system as processes of this machine: real services, private data, nothing left behind.

local       the substrate: up, down, kill, pause, scale
startup     brings services up side by side
service     a service as data;  broker, database, results, roles  the ones there are
processes   start, watch and end a process with all its children
instance    the folder, the lock and the record of one lab
keeper      nothing outlives a lab, however it ends;  cleaning  how
"""

from lab.substrates.local.local import Local

__all__ = ["Local"]
