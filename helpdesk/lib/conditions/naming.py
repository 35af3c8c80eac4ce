"""What a stored condition names, so that nothing it asks for is taken away beneath it."""

from typing import Any

from helpdesk.lib.conditions.fields import find, refers


def may_name(ref: str) -> bool:
    """Whether a condition could name such a thing at all: a field that people defined, or what a field has the ids of."""
    kind = ref.partition(":")[0]
    return kind == "field" or kind in refers()


def names(tree: Any, subject: str, ref: str) -> bool:
    """Whether it asks a field that is this ("field:12"), or compares one with this ("team:5"); also in a broken tree."""
    if not isinstance(tree, dict):
        return False
    parts = [part for word in ("all", "any") if isinstance(tree.get(word), list) for part in tree[word]]
    if any(names(part, subject, ref) for part in [*parts, tree.get("not")]):
        return True
    found = find(subject, tree["field"]) if isinstance(tree.get("field"), str) else None
    if found is None:
        return False
    value = tree.get("value")
    values = value if isinstance(value, list) else [value]
    if found.ref == ref or (found.refers and ref in [f"{found.refers}:{each}" for each in values]):
        return True
    return names(tree.get("where"), found.subject, ref)
