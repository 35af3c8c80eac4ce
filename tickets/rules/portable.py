"""Rules as JSON, to keep beside other configuration and to bring to another installation: what they name goes by its name."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from helpdesk.accounts.models import Team, User
from helpdesk.customers import definitions
from helpdesk.customers.models import FieldDefinition
from helpdesk.customers.payloads import BadPayload, check_object
from helpdesk.knowledge.models import Answer, Topic
from helpdesk.lib import conditions
from helpdesk.lib.conditions import ConditionError
from helpdesk.lib.liquid import BadTemplate
from helpdesk.mail.models import Webhook
from tickets.models import EscalationPath, Priority, Rule, RuleKind
from tickets.models.clocks import Hours
from tickets.models.terms import TAG
from tickets.rules import keeping, timers
from tickets.rules.actions import ACTIONS, NOBODY, STATUSES, Play, check_note
from tickets.rules.keeping import Wording
from tickets.rules.meetings import HAPPENED

MOST = 1000  # rules of one file
TOLD = 20  # mistakes
VERSION = 1
LABELS: dict[Any, str] = {
    User: "email", Team: "name", Topic: "name", Answer: "title", Webhook: "name", EscalationPath: "name", Play: "name",
}  # fmt: skip


class Unreadable(ValueError):
    """What was sent is no such file; each of its messages says where, and what to do."""


class Live(Exception):
    """Rules that are on would say something else at once; the message names them, and a person agrees first."""


@dataclass(frozen=True)
class Taken:
    """``changed`` are new or say something else; ``left_out`` says of each rule that was not brought why."""

    changed: list[Rule]
    left_out: list[str]


def exported() -> dict[str, Any]:
    """All rules that were not removed, in their order."""
    rules = Rule.objects.filter(removed_at=None).select_related("version").order_by("kind", "position", "id")
    names = {model: dict(model.objects.values_list("pk", label)) for model, label in LABELS.items()}
    return {"twofold": "rules", "version": VERSION, "rules": [_out(rule, names) for rule in rules if rule.version]}


def _out(rule: Rule, names: dict[Any, dict[int, str]]) -> dict[str, Any]:
    said = Wording.of(rule.version)  # type: ignore[arg-type]
    row: dict[str, Any] = {"name": said.name, "list": rule.kind, "on": rule.is_enabled}
    if rule.kind == RuleKind.TIME:
        row |= {"since": said.since, "minutes": said.minutes}
        row |= {"hours": said.hours} if said.hours != Hours.CALENDAR else {}
    if said.happened:
        row["happened"] = said.happened
    return row | {
        "conditions": _walked(said.conditions, _label),
        "actions": _named(said.actions, lambda model, pk: names[model].get(pk)),
    }


@transaction.atomic
def take_in(source: str, *, by: User, leave_out: bool = False, live: bool = True) -> Taken:
    """Every rule of a file: one of a known name and list says this from now on, a new one comes to the end, switched off.

    All or nothing, unless those that name what is not here are to be left out; a second time changes nothing. Raises
    Unreadable, and Live where one that is on would change and may not.
    """
    changed, wrong = [], list[str]()
    for rule, wording in _read(source, wrong):
        known = rule.version_id
        keeping.save(rule, wording, by=by)
        if rule.version_id != known:
            changed.append(rule)
    if wrong and not leave_out:
        raise Unreadable(*wrong[:TOLD])
    if not live and (on := [f"“{rule}”" for rule in changed if rule.is_enabled]):
        raise Live(_("On, and different in the file: %s") % ", ".join(on[:TOLD]))
    return Taken(changed, wrong)


def _read(text: str, wrong: list[str]) -> Iterator[tuple[Rule, Wording]]:
    """Rule by rule; what cannot be had of one is added to ``wrong``."""
    try:
        data = json.loads(text)
        json.dumps(data, ensure_ascii=False).encode()  # half of a surrogate pair is no character
    except json.JSONDecodeError as error:
        told = {"problem": error.msg, "line": error.lineno}
        raise Unreadable(_("This is not JSON: %(problem)s in line %(line)d.") % told) from error
    except (RecursionError, ValueError) as error:
        raise Unreadable(_("This is nested too deep, or holds a number that is too long, or what is no character.")) from error
    rows = data.get("rules") if isinstance(data, dict) else None
    if not isinstance(rows, list) or data.get("twofold") != "rules":
        raise Unreadable(_('This is no file of rules: it begins with {"twofold": "rules", "version": 1, "rules": […]}.'))
    if data.get("version", VERSION) != VERSION:
        raise Unreadable(_("This is version %(theirs)s of such files; here version %(ours)d is read.") % {
            "theirs": str(data["version"])[:20], "ours": VERSION,
        })  # fmt: skip
    if not rows:
        raise Unreadable(_("There is no rule in it."))
    if len(rows) > MOST:
        raise Unreadable(_("Bring at most %d rules at once.") % MOST)
    seen = set[tuple[str, str]]()
    for place, row in enumerate(rows, 1):
        name = row.get("name") if isinstance(row, dict) else None
        where = _("Rule %d: ") % place
        if isinstance(name, str):
            where = _("Rule %(place)d (“%(name)s”): ") % {"place": place, "name": name[:80]}
        try:
            rule, wording = _one(row)
            if (twin := (rule.kind, wording.name)) in seen:
                raise Unreadable(_("there is another of this name in its list."))
            seen.add(twin)
        except ConditionError as error:
            wrong.append(f"{where}conditions{'.' if error.path else ': '}{error}")
        except (Unreadable, BadPayload) as error:
            wrong.append(f"{where}{error}")
        else:
            yield rule, wording


def _one(row: Any) -> tuple[Rule, Wording]:
    if not isinstance(row, dict):
        raise Unreadable(_("expected an object."))
    if extra := set(row) - {"name", "list", "on", "since", "minutes", "hours", "happened", "conditions", "actions"}:
        raise Unreadable(_("“%s” does not belong here.") % sorted(extra)[0][:80])
    check_object({key: value for key, value in row.items() if key != "conditions"}, _("a rule"))
    name, kind, happened = row.get("name"), row.get("list"), row.get("happened", [])
    if not isinstance(name, str) or not name.strip() or len(name) > 120:
        raise Unreadable(_("give it a name of at most 120 characters."))
    if kind not in RuleKind.values:
        raise Unreadable(_("list is one of %s.") % ", ".join(RuleKind.values))
    kinds = list(HAPPENED)
    if wrong := [each for each in happened if each not in kinds] if isinstance(happened, list) else [happened]:
        raise Unreadable(_("happened is a list of kinds of events; “%s” is none.") % str(wrong[0])[:60])
    since, minutes = row.get("since", ""), row.get("minutes", 0)
    if kind == RuleKind.TIME and (since not in list(timers.SINCE) or type(minutes) is not int or not 1 <= minutes <= 525_600):
        raise Unreadable(_("since is one of %s, and minutes a whole number from 1 on.") % ", ".join(timers.SINCE))
    if (hours := row.get("hours", Hours.CALENDAR)) not in Hours.values:
        raise Unreadable(_("hours is one of %s.") % ", ".join(Hours.values))
    if not isinstance(row.get("conditions"), dict):
        raise Unreadable(_("say in conditions when; {} is always."))
    if not isinstance(row.get("on", False), bool):
        raise Unreadable(_("on is true or false."))
    tree = conditions.clean(_walked(row["conditions"], _value), "ticket", change=kind == RuleKind.UPDATE)
    own: dict[str, Any] = {}
    if kind == RuleKind.UPDATE:
        own = {"happened": happened}
    elif kind == RuleKind.TIME:
        own = {"since": since, "minutes": minutes, "hours": hours}
    rule = Rule.objects.filter(kind=kind, name=name.strip(), removed_at=None).select_related("version").first()
    return rule or Rule(kind=kind), Wording(name.strip(), tree, _checked(row.get("actions")), **own)


def _checked(actions: Any) -> dict[str, Any]:
    if not isinstance(actions, dict) or not actions:
        raise Unreadable(_("say in actions what it does."))
    if wrong := set(actions) - set(ACTIONS):
        raise Unreadable(_("there is no action “%s”.") % sorted(wrong)[0][:80])
    for name, choices in (("status", STATUSES), ("priority", Priority.choices), ("language", settings.SPOKEN_LANGUAGES)):
        if name in actions and actions[name] not in [value for value, _label in choices]:
            raise Unreadable(_("“%(value)s” is no %(name)s.") % {"value": str(actions[name])[:80], "name": name})
    for name in ("add_tags", "remove_tags"):
        tags = actions.get(name, ["x"])
        sound = isinstance(tags, list) and all(isinstance(tag, str) and tag.strip() and len(tag) <= TAG for tag in tags)
        if not sound or not tags:
            raise Unreadable(_("%s is a list of words.") % name)
    if "attributes" in actions:
        given = actions["attributes"]
        if not isinstance(given, dict) or not given:
            raise Unreadable(_("attributes is an object of fields and their values; null empties one."))
        if unknown := set(given) - set(definitions.of(FieldDefinition.Subject.TICKET)):
            raise Unreadable(_("There is no field attributes.%s.") % sorted(unknown)[0][:80])
        if misfits := definitions.misfits(FieldDefinition.Subject.TICKET, given, strict=True):
            raise Unreadable(" ".join(misfits.values()))
    if "note" in actions:
        if not isinstance(actions["note"], str) or not actions["note"].strip():
            raise Unreadable(_("note is a text."))
        try:
            check_note(actions["note"])
        except BadTemplate as error:
            raise Unreadable(_("note: %s") % error) from error
    for name, words, most in (("escalate", "reason", 200), ("notify", "words", 150)):
        said = actions.get(name, {})
        if not isinstance(said, dict):
            raise Unreadable(_("%s is an object.") % name)
        if not isinstance(said.get(words, ""), str) or len(said.get(words, "")) > most:
            told = {"words": words, "name": name, "most": most}
            raise Unreadable(_("%(words)s of %(name)s is a text of at most %(most)d characters.") % told)
    if "escalate" in actions and not actions["escalate"].get("reason", "").strip():
        raise Unreadable(_("an escalation has a reason."))
    if "notify" in actions and not any(actions["notify"].get(whom) for whom in ("people", "team", "assignee")):
        raise Unreadable(_("notify names nobody."))
    return _named(actions, _id_of)


# --- what stands for an id: names, and back ---------------------------------------------------------------------------


def _named(actions: dict[str, Any], each: Callable[[Any, Any], Any]) -> dict[str, Any]:
    """The actions with every id as a name, or every name as an id."""
    out = dict(actions)
    for name, action in ACTIONS.items():
        if name in out and action.model and (name, out[name]) != ("assignee", NOBODY):
            out[name] = each(action.model, out[name])
    if "escalate" in out:
        out["escalate"] = {"path": each(EscalationPath, out["escalate"].get("path")), "reason": out["escalate"].get("reason", "")}
    if "notify" in out:
        told = dict(out["notify"])
        if not isinstance(told.get("people", []), list):
            raise Unreadable(_("people is a list of addresses."))
        told["people"] = [each(User, person) for person in told.get("people", [])]
        told["team"] = each(Team, told["team"]) if told.get("team") else None
        out["notify"] = {key: told[key] for key in ("people", "team", "assignee", "words") if told.get(key)}
    return out


def _id_of(model: Any, name: Any) -> int:
    if name is None:
        raise Unreadable(_("it names what was gone already."))
    rows = model.objects.living() if hasattr(model.objects, "living") else model.objects
    found = list(rows.filter(**{LABELS[model]: name}).values_list("pk", flat=True)[:2]) if isinstance(name, str) else []
    if len(found) != 1:
        words = _("nothing here is called “%s”.") if not found else _("several things here are called “%s”.")
        raise Unreadable(words % str(name)[:80])
    return int(found[0])


def _walked(tree: Any, each: Callable[[list[tuple[Any, str]], Any], Any], subject: str = "ticket") -> Any:
    """A condition with the values of choices that are ids changed by ``each``; what is no condition stays as it is."""
    if not isinstance(tree, dict):
        return tree
    out = {key: [_walked(part, each, subject) for part in tree[key]] for key in ("all", "any") if isinstance(tree.get(key), list)}
    out |= {"not": _walked(tree["not"], each, subject)} if "not" in tree else {}
    if out:
        return tree | out
    found = conditions.find(subject, tree["field"]) if isinstance(tree.get("field"), str) else None
    if found and "where" in tree:
        return tree | {"where": _walked(tree["where"], each, found.subject)}
    if found is None or "value" not in tree or not callable(found.choices):
        return tree
    options = [(value, str(label)) for value, label in found.options()]
    if options and not any(isinstance(value, int) for value, _label in options):
        return tree
    value = tree["value"]
    return tree | {"value": [each(options, one) for one in value] if isinstance(value, list) else each(options, value)}


def _label(options: list[tuple[Any, str]], value: Any) -> Any:
    return next((label for known, label in options if known == value), value)


def _value(options: list[tuple[Any, str]], label: Any) -> Any:
    found = [value for value, known in options if known == label]
    if len(found) > 1:
        raise Unreadable(_("several things here are called “%s”.") % str(label)[:80])
    if not found and isinstance(label, int):  # an id, which may be anybody's here
        raise Unreadable(_("conditions name things by their names; what was number %d was gone already.") % label)
    return found[0] if found else label
