"""The only reader of the environment. Settings are built once, frozen, and passed in.

Every variable begins with MISSING_TABLE_; a role reads only what it needs, so a scraper never holds
the database's password. Addresses and secrets have no defaults.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from system.errors import SettingsError

PREFIX = "MISSING_TABLE_"
S = TypeVar("S", bound=BaseSettings)


class SinkKind(StrEnum):
    """Where a worker hands matches to."""

    API = "api"
    DATABASE = "database"


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


class _MeteredRole(_Role):
    metrics_folder: Path | None = Field(
        None,
        description="where metrics are kept over the death of their process, one folder for each"
        " worker; without it they are in memory only, and are not served",
    )
    metrics_host: str = Field("127.0.0.1", description="address on which /metrics is served")


class ScraperSettings(_MeteredRole):
    """What the scraper needs."""

    broker_url: SecretStr | None = Field(None, description="amqp://user:password@host:port/vhost")
    api_url: str | None = Field(
        None, description="http://host:port of the backend, for the old path"
    )
    api_token: SecretStr | None = Field(None, description="bearer token for writing to the backend")
    outbox: Path = Field(Path("outbox.sqlite"), description="file of the durable spool")
    scrape_interval_s: float = Field(
        3600, gt=0, description="seconds from one run to the next, as the scheduler is set"
    )


class WorkerSettings(_MeteredRole):
    """What a worker needs."""

    broker_url: SecretStr = Field(description="amqp://user:password@host:port/vhost")
    result_url: SecretStr | None = Field(
        None, description="redis://…, for results that callers wait for"
    )
    sink: SinkKind = Field(SinkKind.API, description="api or database")
    api_url: str | None = Field(
        None, description="http://host:port of the backend; for the api sink"
    )
    api_token: SecretStr | None = Field(None, description="bearer token; for the api sink")
    database_url: SecretStr | None = Field(
        None, description="postgresql://…; for the database sink"
    )
    concurrency: int = Field(2, ge=1, le=64, description="pool children of one worker")
    prefetch_multiplier: int = Field(4, ge=1, le=1000, description="deliveries held per child")
    soft_time_limit_s: float = Field(30, gt=0, description="a task is asked to stop after this")
    hard_time_limit_s: float = Field(40, gt=0, description="and killed after this, a longer time")
    ready_file: Path | None = Field(None, description="touched every 2 s while consuming")
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

    broker_url: SecretStr = Field(
        description="amqp://user:password@host:port/vhost, of the operator's user"
    )


class BackendSettings(_Role):
    """What the backend needs."""

    database_url: SecretStr = Field(description="postgresql://user:password@host:port/database")
    api_token: SecretStr = Field(description="bearer token that writing needs")
    pool_size: int = Field(8, ge=1, le=100, description="database connections at most")


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
