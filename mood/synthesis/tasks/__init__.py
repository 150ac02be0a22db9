"""Self-supervised tasks by name: what a network is taught to see in scans that are healthy."""

from __future__ import annotations

from mood.errors import UsageError, unknown
from mood.synthesis.tasks.base import Place, Task, alter, draw_place
from mood.synthesis.tasks.foreign import ForeignBlob, ForeignPatch
from mood.synthesis.tasks.own_tissue import Intensity, Relocation, Texture, Warp
from mood.synthesis.tasks.poisson import PoissonPatch

__all__ = ["TASKS", "Place", "Task", "alter", "draw_place", "get_tasks"]

TASKS: dict[str, type[Task]] = {
    task.name: task for task in (ForeignPatch, PoissonPatch, ForeignBlob, Relocation, Intensity, Texture, Warp)
}


def get_tasks(names: tuple[str, ...]) -> list[type[Task]]:
    """The tasks of these names; `UsageError` when there is none of a name, or no name at all."""
    for name in names:
        if name not in TASKS:
            raise unknown("task", name, TASKS)
    if not names:
        raise UsageError("no task is named", fix=f"Choose from: {', '.join(TASKS)}")
    return [TASKS[name] for name in names]
