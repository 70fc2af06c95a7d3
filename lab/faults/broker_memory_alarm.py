"""The broker's memory alarm: it stops reading from everybody who publishes."""

from __future__ import annotations

from collections.abc import Iterator

from lab.fault import Target, fault
from lab.settling import Marks
from lab.substrate import Controllable

_LOOK = "vm_memory_monitor:get_vm_memory_high_watermark()."
_SET = "ok = vm_memory_monitor:set_vm_memory_high_watermark({limit})."
_ONE_BYTE = "{absolute, 1}"


@fault("broker-memory-alarm", Controllable, marks=Marks(retries=True, reconnects=True))
def broker_memory_alarm(on: Target) -> Iterator[None]:
    """Set the broker's memory limit to one byte; the limit it had comes back at the end."""
    broker = on.substrate
    assert isinstance(broker, Controllable)  # noqa: S101 - the registry has made sure
    limit = broker.control_broker("eval", _LOOK).strip()
    try:
        broker.control_broker("eval", _SET.format(limit=_ONE_BYTE))
        yield
    finally:
        broker.control_broker("eval", _SET.format(limit=limit))
