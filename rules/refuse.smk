"""Takes: nothing. Leaves: a message, where the plan needs a file that the configuration names and that is not there, or
is asked for something that no rule makes, or for a check whether a run could start.

Rules, and no check beforehand: only so is it known whether what was asked for needs the file.
"""

MISSING = refusals.missing_files(CONFIG)

if MISSING:

    rule:
        name:
            "missing_file"
        input:
            start.refusing(plan.of(refusals.missing_file)),
        output:
            "{missing_file}",
        wildcard_constraints:
            missing_file=one_of(MISSING),


rule:
    name:
        "unknown_target"
    input:
        start.refusing(
            lambda wildcards: refusals.unknown_target(
                [rule.name for rule in workflow.rules if not rule.output],
                wildcards.unknown_target,
            )
        ),
    output:
        "{unknown_target}",
    wildcard_constraints:
        unknown_target=none_of({*MISSING, *os.listdir()}, "[^/]+"),


rule:
    name:
        "unknown_export"
    input:
        start.refusing(plan.of(refusals.unknown_export)),
    output:
        directory("results/exports/labels/{any_labels}/{any_format}"),
    wildcard_constraints:
        any_labels="[^/]+",
        any_format=none_of(EXPORT_FORMATS, "[^/]+"),


rule:
    name:
        "check"
    input:
        start.checking(workflow),
