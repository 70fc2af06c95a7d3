"""What the API says of itself (OpenAPI) against what it does, with generated requests."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from system.backend import app
from system.backend.tests import serving
from system.backend.tests.serving import TOKEN, Client

pytestmark = pytest.mark.services

schema = schemathesis.openapi.from_dict(
    app.create(serving.settings("postgresql://nobody@127.0.0.1:1/nothing")).openapi()
)
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@schema.parametrize()
@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_as_described(case: schemathesis.Case[Any], backend: Client) -> None:
    case.call_and_validate(
        base_url=backend.url, headers={"Authorization": f"Bearer {TOKEN}"}, checks=CHECKS
    )
