"""Every error hotfolder raises on purpose; each carries the decision, so that one place can act on it.

HotfolderError                                                   exit code
  ConfigError        bad settings, workspace, profile or call         2
  AlreadyRunning     another hotfolder holds this workspace           3
  NotYet             the job needs something that is not there: it waits
  JobError           this job failed, the queue goes on               1
    RejectedInput    a dropped file that is not a usable input
    BadSpec          a job description with problems (file, line, key)
    Unsupported      understood, but not something this version does
    OutOfMemory      did not fit into the device's memory (retryable)
    WorkerLost       the worker died or hung while it ran this job (retryable)
"""

from dataclasses import dataclass


class HotfolderError(Exception):
    """Base class. Its text is one or more sentences for the user; `exit_code` is what a command exits with."""

    exit_code = 1


class ConfigError(HotfolderError):
    exit_code = 2


class AlreadyRunning(HotfolderError):
    exit_code = 3


class NotYet(HotfolderError):
    """Something a job needs is missing now and may come: a prompt, a named image, weights. Its text is the reason;
    `model` names the entry of the registry whose weights are missing, if that is it."""

    def __init__(self, reason: str, model: str = "") -> None:
        super().__init__(reason)
        self.model = model


class JobError(HotfolderError):
    """One job failed; `retryable` says whether running it again, unchanged, can help."""

    retryable = False


class RejectedInput(JobError):
    pass


@dataclass(frozen=True)
class Problem:
    """One thing wrong in a written file. `line` counts from 1; `key` is dotted (`loras.0.weight`)."""

    file: str
    line: int | None
    key: str | None
    message: str

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}, line {self.line}"
        return f"{where}: {self.message}"


class BadSpec(JobError):
    """A job, preset or settings file that cannot be used as written."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class Unsupported(JobError):
    pass


class OutOfMemory(JobError):
    retryable = True


class WorkerLost(JobError):
    retryable = True
