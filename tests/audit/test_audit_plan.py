"""Reasons are put into words that name what changed."""

from __future__ import annotations

from utility_annotation.audit.plan import Job, changed_parameters


def test_changed_settings_are_named_by_their_keys() -> None:
    before = [repr('{"backbone":{"model":"m"},"run":{"epochs":2,"temperature":1.0}}')]
    now = [repr('{"backbone":{"model":"m"},"run":{"epochs":3,"seed":1,"temperature":1.0}}')]
    assert changed_parameters(before, now) == ["changed settings (run.epochs, run.seed)"]


def test_a_key_that_is_new_is_a_change_even_without_a_value() -> None:
    assert changed_parameters([repr("{}")], [repr('{"a":null}')]) == ["changed settings (a)"]


def test_code_and_content_are_told_apart() -> None:
    assert changed_parameters([repr("0123456789abcdef")], [repr("fedcba9876543210")]) == ["changed code"]
    content = ["['aa']"], ["['bb']"]
    assert changed_parameters(*content) == ["changed content of a file of yours"]


def test_several_changes_are_all_said() -> None:
    before = [repr('{"a":1}'), repr("0123456789abcdef")]
    now = [repr('{"a":2}'), repr("fedcba9876543210")]
    assert changed_parameters(before, now) == ["changed settings (a)", "changed code"]


def test_a_parameter_of_no_known_form_is_still_a_change() -> None:
    assert changed_parameters([repr("python")], [repr("python3")]) == ["changed parameters"]


def test_pools_share_a_stage() -> None:
    assert Job(id=0, rule="build_pool_demo-train").stage == Job(id=1, rule="build_pool_other").stage == "build_pool"
