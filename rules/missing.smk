"""Takes: nothing. Leaves: a message, where the plan needs a file that the configuration names and that is not there, or
is asked for something that no rule makes.

Rules, and no check beforehand: only so is it known whether what was asked for needs the file.
"""

MISSING = missing_files()

if MISSING:

    rule:
        name:
            "missing_file"
        input:
            refuse_missing_file,
        output:
            "{missing_file}",
        wildcard_constraints:
            missing_file="|".join(map(re.escape, MISSING)),


rule:
    name:
        "unknown_target"
    input:
        refuse_unknown_target,
    output:
        "{unknown_target}",
    wildcard_constraints:
        unknown_target=none_of({*MISSING, *os.listdir()}, "[^/]+"),


rule:
    name:
        "unknown_form"
    input:
        refuse_unknown_form,
    output:
        directory("results/exports/labels/{any_labels}/{any_form}"),
    wildcard_constraints:
        any_labels="[^/]+",
        any_form=none_of(FORMS, "[^/]+"),
