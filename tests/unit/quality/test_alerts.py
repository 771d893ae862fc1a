"""Alert rules name metrics that exist and runbooks that are there."""

from __future__ import annotations

import re

import yaml
from prometheus_client import REGISTRY

from asknown.settings import CHECKOUT
from asknown.storage import ledger_live, live, loader

RULES = CHECKOUT / "infra" / "prometheus" / "alerts.yml"


def rules() -> list[dict]:
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def test_every_alert_asks_for_a_metric_that_a_service_exports():
    assert ledger_live.OVERDUE is not None
    assert loader.LAG is not None
    assert live.LAG is not None
    exported = {metric.name for metric in REGISTRY.collect()}
    asked = {name for rule in rules() for name in re.findall(r"asknown_\w+", rule["expr"])}
    assert asked
    assert asked <= exported


def test_every_alert_has_a_runbook():
    runbooks = [rule["annotations"]["runbook"] for rule in rules()]
    assert runbooks
    assert [page for page in runbooks if not (CHECKOUT / page).is_file()] == []
