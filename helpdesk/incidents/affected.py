"""Which open incident a contact is about: of a topic it names, from a customer whom it affects."""

from collections.abc import Collection

import structlog

from helpdesk.customers import segments
from helpdesk.incidents.models import Incident
from helpdesk.knowledge.models import Topic
from helpdesk.lib.conditions import ConditionError

log = structlog.get_logger(__name__)
MOST = 50  # open incidents that are looked at, the newest first
Contact = tuple[int, int | None]  # customer, topic


def touched(contacts: Collection[Contact], only: int | None = None) -> dict[Contact, Incident]:
    """For each of these the newest open incident that it is about, or just whether it is that ``only`` one.

    One query where nothing is wrong; then one for the topics, and one for the customers of each incident.
    """
    found: dict[Contact, Incident] = {}
    rows = Incident.objects.open()
    incidents = list((rows.filter(pk=only) if only else rows)[:MOST]) if contacts else []
    paths = Topic.objects.all().paths() if any(each.topic_id for each in incidents) else {}
    for incident in incidents:
        topic = incident.topic_id
        about = [each for each in contacts if each not in found and (topic is None or topic in paths.get(each[1] or 0, ()))]
        try:
            inside = segments.among(incident.conditions, {customer for customer, _topic in about}) if about else set()
        except ConditionError as error:  # a field that is gone
            log.warning("incident_asks_in_vain", incident=incident.pk, error=str(error))
            continue
        found |= {each: incident for each in about if each[0] in inside}
    return found
