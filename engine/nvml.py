"""Cards as the driver's own library (NVML) tells them. Only looks: no CUDA context is made, no setting is touched.

Every question that a driver, a card or a container may refuse is borne; what is then not known is left at its default.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations
from types import ModuleType
from typing import Any, Final, TypeVar

from engine.cards import Card, Cards, Health, Link, Route, Tenant, owned
from engine.kernel_log import xids

Answer = TypeVar("Answer")

_LINKS: Final = 18
"""NVLink ports of a card, at most."""


def read(nvml: ModuleType) -> Cards:
    """All cards and slices of an initialised NVML; raises `NVMLError` where it does not even list them."""
    wholes = [_whole(nvml, index) for index in range(nvml.nvmlDeviceGetCount())]
    handles = [handle for _card, handle in wholes]
    cards: list[Card] = []
    for card, handle in wholes:
        cards += [card, *(_slices(nvml, card, handle) if card.sliced else ())]
    version = _asked(nvml, 0, nvml.nvmlSystemGetCudaDriverVersion)
    return Cards(
        tuple(cards),
        _text(_asked(nvml, "", nvml.nvmlSystemGetDriverVersion)),
        (version // 1000, version % 1000 // 10),
        tuple(_links(nvml, handles)),
    )


def _whole(nvml: ModuleType, index: int) -> tuple[Card, Any]:
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    memory = _memory(nvml, handle)
    pci = _asked(nvml, None, nvml.nvmlDeviceGetPciInfo, handle)
    bus = "" if pci is None else _text(pci.busId).lower()[-12:]
    card = Card(
        index,
        _text(nvml.nvmlDeviceGetName(handle)),
        _text(nvml.nvmlDeviceGetUUID(handle)),
        memory.total,
        memory.free,
        tuple(nvml.nvmlDeviceGetCudaComputeCapability(handle)),
        tenants=_tenants(nvml, handle),
        reserved=getattr(memory, "reserved", 0),
        bus=bus,
        sliced=bool(_asked(nvml, (0, 0), nvml.nvmlDeviceGetMigMode, handle)[0]),
        pcie=_pcie(nvml, handle),
        health=_health(nvml, handle, bus),
    )
    return card, handle


def _memory(nvml: ModuleType, handle: Any) -> Any:
    """With the driver's own share apart where the driver tells it, which is since version 510."""
    apart = _asked(nvml, None, nvml.nvmlDeviceGetMemoryInfo, handle, nvml.nvmlMemory_v2)
    return nvml.nvmlDeviceGetMemoryInfo(handle) if apart is None else apart


def _tenants(nvml: ModuleType, handle: Any) -> tuple[Tenant, ...]:
    older: list[Any] = _asked(nvml, [], nvml.nvmlDeviceGetComputeRunningProcesses_v2, handle)
    found = _asked(nvml, older, nvml.nvmlDeviceGetComputeRunningProcesses, handle)
    return tuple(owned(one.pid, one.usedGpuMemory or 0) for one in found)


def _pcie(nvml: ModuleType, handle: Any) -> tuple[int, int]:
    return (
        _asked(nvml, 0, nvml.nvmlDeviceGetCurrPcieLinkGeneration, handle),
        _asked(nvml, 0, nvml.nvmlDeviceGetCurrPcieLinkWidth, handle),
    )


def _health(nvml: ModuleType, handle: Any, bus: str) -> Health:
    kind, counter = nvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED, nvml.NVML_VOLATILE_ECC
    rows = _asked(nvml, (0, 0, 0, 0), nvml.nvmlDeviceGetRemappedRows, handle)
    return Health(
        uncorrected=_asked(nvml, 0, nvml.nvmlDeviceGetTotalEccErrors, handle, kind, counter),
        pending=bool(rows[2]),
        worn=bool(rows[3]),
        xids=xids(bus),
    )


def _slices(nvml: ModuleType, card: Card, handle: Any) -> Iterator[Card]:
    """The slices of a card: each has its own memory, and its own id that `CUDA_VISIBLE_DEVICES` takes."""
    for index in range(_asked(nvml, 0, nvml.nvmlDeviceGetMaxMigDeviceCount, handle)):
        part = _asked(nvml, None, nvml.nvmlDeviceGetMigDeviceHandleByIndex, handle, index)
        if part is None:
            continue
        memory = _memory(nvml, part)
        name, uuid = _text(nvml.nvmlDeviceGetName(part)), _text(nvml.nvmlDeviceGetUUID(part))
        yield Card(
            -1,
            name,
            uuid,
            memory.total,
            memory.free,
            card.capability,
            tenants=_tenants(nvml, part),
            reserved=getattr(memory, "reserved", 0),
            bus=card.bus,
            slice_of=card.uuid,
            pcie=card.pcie,
            health=card.health,
        )


def _links(nvml: ModuleType, handles: list[Any]) -> Iterator[Link]:
    routes = {
        nvml.NVML_TOPOLOGY_INTERNAL: Route.SWITCH,
        nvml.NVML_TOPOLOGY_SINGLE: Route.SWITCH,
        nvml.NVML_TOPOLOGY_MULTIPLE: Route.SWITCH,
        nvml.NVML_TOPOLOGY_HOSTBRIDGE: Route.BRIDGE,
        nvml.NVML_TOPOLOGY_NODE: Route.NODE,
    }
    linked = [_has_nvlink(nvml, handle) for handle in handles]
    for first, second in combinations(range(len(handles)), 2):
        if linked[first] and linked[second]:
            yield Link(first, second, Route.NVLINK)
            continue
        level = _asked(nvml, None, nvml.nvmlDeviceGetTopologyCommonAncestor, handles[first], handles[second])
        if level is not None:
            yield Link(first, second, routes.get(level, Route.SYSTEM))


def _has_nvlink(nvml: ModuleType, handle: Any) -> bool:
    return any(_asked(nvml, 0, nvml.nvmlDeviceGetNvLinkState, handle, port) for port in range(_LINKS))


def _asked(nvml: ModuleType, otherwise: Answer, question: Callable[..., Answer], *about: Any) -> Answer:
    """The answer, or `otherwise` where driver, card or container does not give one."""
    try:
        return question(*about)
    except (nvml.NVMLError, nvml.NVMLLibraryMismatchError, AttributeError):  # the second is none of the first
        return otherwise


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
