"""How the report of `nbagent doctor` looks in a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from nbagent.hosts.doctor import Report
from nbagent.hosts.text import Style, harmless


def lines(report: Report, style: Style) -> Iterator[str]:
    """Return the report line by line."""
    yield style("Sandbox", "bold")
    for layer in report.machine.details:
        yield _row(layer.works, layer.name, layer.detail, style)
    yield "  " + (report.machine.refusal or "Code is kept from your files, your keys and the network.")
    yield style("Kernels", "bold")
    for kernel in report.kernels:
        yield _row(kernel.fault is None, kernel.name, kernel.fault or kernel.program, style)
    if not report.kernels:
        yield "  none found"
    yield style("Models on this machine", "bold")
    yield from (f"  {harmless(name)}" for name in report.models or ("no local server answers; see `nbagent models`",))
    yield style("Settings", "bold")
    for one in report.settings:
        yield f"  {harmless(f'{one.name} = {one.value}')}  {style(harmless(f'({one.origin})'), 'dim')}"
    if not report.settings:
        yield "  all are defaults"
    yield style("Versions", "bold")
    yield "  " + ", ".join(f"{name} {version}" for name, version in report.versions.items())
    yield f"  JupyterLab extension: {'installed' if report.labextension else 'not installed'}"


def _row(works: bool, name: str, detail: str, style: Style) -> str:
    mark = style("ok", "green") if works else style("no", "red")
    return f"  {mark}  {harmless(name):18}  {harmless(detail)}"
