"""Notebooks that ask for a kernel that is not installed here."""

from __future__ import annotations

from collections.abc import AsyncIterator

from nbagent.core.cells import SetKernel
from nbagent.repair.rule import NO_SUCH_KERNEL, Case, Fix, Rule


class MissingKernel(Rule):
    """Names an installed Python kernel where the notebook names one that does not exist here.

    Notebooks keep the name of the environment they were last saved in (`python2`, `conda-env-py36`, `anaconda3`).
    Jupyter refuses to run such a notebook before its first cell. The notebook's language stays what it was.
    """

    code = "KER001"
    name = "missing-kernel"
    source = "https://jupyter-client.readthedocs.io/en/stable/kernels.html#kernel-specs"

    async def candidates(self, case: Case) -> AsyncIterator[Fix]:
        """Offer the installed Python kernels, `python3` first."""
        if case.ename != NO_SUCH_KERNEL or (case.notebook.language or "python").lower() not in ("python", "ipython"):
            return
        usable = [k for k in case.kernels if k.language.lower() == "python" and k.name != case.notebook.kernel]
        for kernel in sorted(usable, key=lambda k: (k.name != "python3", k.name)):
            change = SetKernel(expects=case.notebook.kernel, name=kernel.name, display_name=kernel.display_name)
            asked = case.notebook.kernel or "none"
            says = f"The notebook asks for the kernel {asked!r}, which is not installed here; it now asks for "
            yield Fix(rule=self.code, says=says + f"{kernel.display_name!r} ({kernel.name}).", changes=(change,))
