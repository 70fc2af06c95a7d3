"""The only reader of the environment. Settings are built once, frozen, and passed in.

Every variable begins with MISSING_TABLE_; a role reads only what it needs, so a scraper never holds
the database's password. Addresses and secrets have no defaults. A secret may be in a file instead,
which MISSING_TABLE_<NAME>_FILE names, and which is read again at each use: see `secret_files`.
"""

from __future__ import annotations

import os
import textwrap
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic.config import JsonDict
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from system.contract.submission import BATCH_MAX, WORKERS_BATCH
from system.errors import SettingsError
from system.secret_files import SecretFile

PREFIX = "MISSING_TABLE_"
FILE_SUFFIX = "_FILE"
SEVERAL_LINES: JsonDict = {"several_lines": True}
"""Marks a secret whose file may have several lines, one value each."""
S = TypeVar("S", bound=BaseSettings)


class SinkKind(StrEnum):
    """Where a worker hands matches to."""

    API = "api"
    DATABASE = "database"


def is_secret(field: FieldInfo) -> bool:
    """Whether a setting is a secret, and so may be in a file."""
    return SecretStr in (field.annotation, *get_args(field.annotation))


class _SecretFiles(PydanticBaseSettingsSource):
    """The secrets whose files the environment names."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """The secret of one setting; None if no file is named.

        Raises:
            SettingsError: the file holds none, or the setting itself is set, too.
        """
        variable = PREFIX + field_name.upper()
        path = os.environ.get(variable + FILE_SUFFIX) if is_secret(field) else None
        if not path:
            return None, field_name, False
        if os.environ.get(variable):
            raise SettingsError(f"{variable} and {variable}{FILE_SUFFIX} are both set; set one")
        lines = field.json_schema_extra == SEVERAL_LINES
        return SecretFile(variable + FILE_SUFFIX, Path(path), lines=lines), field_name, False

    def __call__(self) -> dict[str, Any]:
        found = {
            name: self.get_field_value(field, name)[0]
            for name, field in self.settings_cls.model_fields.items()
        }
        return {name: secret for name, secret in found.items() if secret is not None}


class _Role(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="ignore", hide_input_in_errors=True
    )

    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR")
    ca_file: Path | None = Field(
        None,
        description="certificates (PEM) that amqps://, rediss:// and https:// trust; without it,"
        " those of this machine. Verification is always on",
    )
    cert_file: Path | None = Field(
        None, description="certificate (PEM) to present to a broker that asks for one"
    )
    key_file: Path | None = Field(None, description="its private key (PEM)")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments first, for tests; then secrets from files; then the environment."""
        return init_settings, _SecretFiles(settings_cls), env_settings


_CLOCK_SKEW_S: float = Field(
    300,
    ge=0,
    le=86400,
    description="seconds that a sender's clock may be ahead; an observation further in the future"
    " is refused",
)


_BROKER_URL = "amqp://user:password@host:port/vhost; of a cluster several, with ; between them"


class _MeteredRole(_Role):
    metrics_folder: Path | None = Field(
        None,
        description="where metrics are kept over the death of their process, one folder for each"
        " worker; without it they are in memory only, and are not served",
    )
    metrics_host: str = Field("127.0.0.1", description="address on which /metrics is served")


class ScraperSettings(_MeteredRole):
    """What the scraper needs."""

    broker_url: SecretStr | None = Field(None, description=_BROKER_URL)
    api_url: str | None = Field(
        None, description="http://host:port of the backend, for the old path"
    )
    api_token: SecretStr | None = Field(
        None,
        description="bearer token for writing to the backend; of several lines the first",
        json_schema_extra=SEVERAL_LINES,
    )
    outbox: Path = Field(Path("outbox.sqlite"), description="file of the durable spool")
    scrape_interval_s: float = Field(
        3600, gt=0, description="seconds from one run to the next, as the scheduler is set"
    )
    matches_share_min: float = Field(
        0.5,
        ge=0,
        le=1,
        description="a run that reads a smaller share than this of the matches that the last good"
        " run read at the same addresses, and that were 20 or more, is incomplete. 0 accepts any"
        " number: set it for one run when the league has fewer matches",
    )


class WorkerSettings(_MeteredRole):
    """What a worker needs."""

    broker_url: SecretStr = Field(description=_BROKER_URL)
    result_url: SecretStr | None = Field(
        None, description="redis://…, for results that callers wait for"
    )
    sink: SinkKind = Field(SinkKind.API, description="api or database")
    api_url: str | None = Field(
        None, description="http://host:port of the backend; for the api sink"
    )
    api_token: SecretStr | None = Field(
        None,
        description="bearer token; of several lines the first; for the api sink",
        json_schema_extra=SEVERAL_LINES,
    )
    database_url: SecretStr | None = Field(
        None, description="postgresql://…; for the database sink"
    )
    clock_skew_s: float = _CLOCK_SKEW_S
    concurrency: int = Field(2, ge=1, le=64, description="pool children of one worker")
    prefetch_multiplier: int = Field(
        4,
        ge=1,
        le=1000,
        description="deliveries held per child; of matches that are gathered into batches, two"
        " batches per child if that is more",
    )
    batch_size: int = Field(
        WORKERS_BATCH,
        ge=1,
        le=BATCH_MAX,
        description="matches applied together at most, in one request or transaction; 1: each"
        " alone, as it is with MISSING_TABLE_TASK_EVENTS",
    )
    batch_wait_ms: float = Field(
        10,
        ge=0,
        le=1000,
        description="how long a match waits for others while another child is busy; an idle worker"
        " takes it at once",
    )
    log_applied_every: int = Field(
        1,
        ge=0,
        description="of the matches that took effect, every n-th has a line in the log; 0: none."
        " What failed or was dead-lettered always has",
    )
    soft_time_limit_s: float = Field(30, gt=0, description="a task is asked to stop after this")
    hard_time_limit_s: float = Field(40, gt=0, description="and killed after this, a longer time")
    brake_messages: int = Field(
        10,
        ge=0,
        le=1000,
        description="the worker pauses taking matches when so many different ones in a row met a"
        " bug of its own; 0: never",
    )
    brake_pause_s: float = Field(
        5,
        gt=0,
        description="the first pause; then one match is tried, and if that meets a bug, too, the"
        " next pause is twice as long",
    )
    brake_pause_max_s: float = Field(300, gt=0, description="the longest pause")
    ready_file: Path | None = Field(None, description="touched every 2 s while consuming")
    alive_file: Path | None = Field(
        None,
        description="touched every 2 s or so while the main loop goes on, also while it waits for"
        " the broker",
    )
    task_events: bool = Field(
        False,
        description="send Flower an event for every task; needs permission to write to the exchange"
        " celeryev, and blocks the worker during an alarm of the broker",
    )
    metrics_port: int | None = Field(
        None, ge=0, le=65535, description="port on which /metrics is served; needs the folder"
    )

    @model_validator(mode="after")
    def _served_from_a_folder(self) -> WorkerSettings:
        if self.metrics_port is not None and self.metrics_folder is None:
            raise ValueError(
                f"{PREFIX}METRICS_PORT is set and {PREFIX}METRICS_FOLDER is not; the server reads"
                " what the pool's children write into that folder"
            )
        return self

    @model_validator(mode="after")
    def _soft_before_hard(self) -> WorkerSettings:
        # Celery starts the hard limit's clock when the soft limit is reached, so a smaller hard
        # limit would never apply.
        if self.hard_time_limit_s <= self.soft_time_limit_s:
            raise ValueError(
                f"{PREFIX}HARD_TIME_LIMIT_S ({self.hard_time_limit_s:g}) must be more than"
                f" {PREFIX}SOFT_TIME_LIMIT_S ({self.soft_time_limit_s:g})"
            )
        return self


class OperatorSettings(_Role):
    """What the operator's tools need."""

    broker_url: SecretStr = Field(description=f"{_BROKER_URL}; of the operator's user")


class TopologySettings(_Role):
    """What `python -m system.contract` needs."""

    management_url: SecretStr = Field(
        description="http(s)://user:password@host:port of RabbitMQ's management API, of a user with"
        " the tag administrator"
    )
    task_events: bool = Field(
        False, description="as the workers have it: it changes what they may write to"
    )


class DatabaseSettings(_Role):
    """What the backend's tools need."""

    database_url: SecretStr = Field(
        description="postgresql://user:password@host:port/database; a pooler in between must keep"
        " sessions apart, for the backend changes settings of its sessions"
    )


class BackendSettings(DatabaseSettings):
    """What the backend needs."""

    api_token: SecretStr = Field(
        description="bearer token that writing needs; in a file each line is one that is accepted,"
        " so that an old one and a new one hold at the same time",
        json_schema_extra=SEVERAL_LINES,
    )
    cert_file: Path | None = Field(
        None, description="certificate (PEM) to serve https:// with; without it http:// is served"
    )
    clock_skew_s: float = _CLOCK_SKEW_S
    pool_size: int = Field(8, ge=1, le=100, description="database connections at most")
    connections_max: int = Field(
        512,
        ge=1,
        le=100_000,
        description="HTTP connections at a time; beyond it, one without a request in hand is ended"
        " for each new one, and if all have one, 503 is answered, except to probes. The process"
        " needs some 60 open files more than this",
    )
    head_bytes_max: int = Field(
        16 * 1024, ge=1024, description="bytes of a request's address and header fields"
    )
    head_fields_max: int = Field(100, ge=10, description="header fields of a request")
    head_s: float = Field(10, gt=0, description="a request's head must be complete after this time")
    body_s: float = Field(
        30,
        gt=0,
        description="its body must be complete this long after its head; and a client that stops"
        " reading its answer for this long is given up",
    )


def load(kind: type[S]) -> S:
    """Read the settings of one role from the environment.

    Raises:
        SettingsError: naming each variable that is missing or wrong, and what it means.
    """
    try:
        return kind()
    except ValidationError as error:
        lines = []
        for problem in error.errors():
            if not problem["loc"]:  # a rule about several settings
                lines.append(problem["msg"].removeprefix("Value error, "))
                continue
            name = str(problem["loc"][0])
            about = kind.model_fields[name].description if name in kind.model_fields else ""
            what = "is not set" if problem["type"] == "missing" else problem["msg"]
            lines.append(f"{PREFIX}{name.upper()} {what} ({about})")
        raise SettingsError("\n".join(lines)) from None


def described(kind: type[BaseSettings]) -> list[tuple[str, str, str]]:
    """Each setting of a role: its variable, its default in words, its meaning."""

    def default(field: FieldInfo) -> str:
        if field.is_required():
            return "must be set"
        return "not set" if field.default is None else str(field.default)

    return [
        (f"{PREFIX}{name.upper()}", default(field), str(field.description))
        for name, field in kind.model_fields.items()
    ]


def help_text(kind: type[BaseSettings]) -> str:
    """The settings of a role, for the end of its `--help`."""
    return "\n".join(
        [
            "Settings, from the environment:",
            *(
                f"  {name} [{default}]\n{textwrap.indent(textwrap.fill(meaning, 90), ' ' * 6)}"
                for name, default, meaning in described(kind)
            ),
        ]
    )
