"""The views that the demo's people have set up."""

from helpdesk.accounts.models import Team, User
from tickets.models import Order, SavedView


def views(staff: dict[str, User]) -> None:
    """Two that are shared, one for Billing alone, and one of Ana's own."""
    hot = {"field": "priority", "op": "any_of", "value": ["urgent", "high"]}
    german = {"field": "language", "op": "is", "value": "de"}
    SavedView.objects.bulk_create(
        [
            SavedView(name="Urgent first", conditions=hot, order=Order.URGENT, columns=["status", "priority", "team"]),
            SavedView(
                name="In German",
                conditions=german,
                place=1,
                columns=["said", "status", "company"],
                order=Order.WAITING,
            ),
            SavedView(
                name="Billing, all there ever was",
                team=Team.objects.get(slug="billing"),
                conditions={"field": "topic", "op": "is_set"},
                covers=SavedView.Covers.ALL,
                place=2,
                columns=["status", "topic", "opened"],
            ),
            SavedView(
                name="My old ones",
                owner=staff["ana"],
                conditions={"field": "opened", "op": "older_than", "value": {"days": 2}},
                order=Order.OLDEST,
                columns=["said", "status", "opened"],
            ),
        ]
    )
