"""Two weeks of a small desk, played on the moved clock through the verbs that people and workers use."""

from datetime import datetime, timedelta

from django.conf import settings

from helpdesk.accounts.models import Team, User
from helpdesk.customers import consent, dispatch, timeline
from helpdesk.customers.models import Customer, Segment, Subscription
from helpdesk.customers.timeline import Fact
from helpdesk.demo import desk
from helpdesk.knowledge.models import Answer, Topic
from helpdesk.lib import dates
from helpdesk.mail import sender
from helpdesk.mail.models import Lane, Mailbox, Outgoing
from helpdesk.mail.transports import FileTransport
from outreach import campaigns, journeys
from outreach.models import Campaign
from tickets import clocks, replies
from tickets.intake import Words, imported, open_ticket
from tickets.intake.opening import hear
from tickets.models import Ticket
from tickets.rules import meet_pending

ANSWERS = [
    (
        "Where the VAT number is",
        "billing",
        "You find it under **Settings, Company, “Tax details”**. It appears on every invoice "
        "from then on; for one that was already sent, open it and choose *Correct*.",
    ),
    (
        "New phone, no codes",
        "sign-in",
        "Use one of the ten recovery codes you printed. Without them we check who you are "
        "and switch the second factor off; that takes a day.",
    ),
    ("Export above 10,000 lines", "export", "Choose *Export, by month*: each file stays below the limit and nothing is cut."),
]
CARD = """\
Dear {{ customer.name }},

the card for your plan ends on **{{ event.expires }}**. Changing it takes two minutes:
open *Settings, Payment* and choose *New card*.

Nothing else changes. If something is odd, answer this mail: a person reads it."""
WELCOME = """\
Hello {{ customer.name }},

three things make the first week easy: connect your bank, invite whoever keeps the books, and send yourself a test invoice.

Answer this mail if you are stuck."""
UNKNOWN = {"customer.name": "customer", "event.expires": "the last day of this month"}


class Story:
    def __init__(self, staff: dict[str, User], customers: dict[str, Customer]) -> None:
        self.staff, self.customers = staff, customers
        self.start = dates.now()

    def before(self, **ago: float) -> datetime:
        return self.start - timedelta(**ago)

    def tell(self) -> None:
        """From the first settings to this minute."""
        with dates.moved(to=self.before(days=14)):
            self.furnish()
            desk.promises(self.staff)
            self.campaigns()
        with imported():
            self.last_weeks()
        with dates.moved(to=self.before(days=1)):
            desk.rules(self.staff)
            desk.forms()
            desk.teams()
        desk.incidents(self.staff, self.start)
        self.this_morning()
        self.work()

    def furnish(self) -> None:
        Mailbox.objects.create(
            slug="support",
            name=f"{settings.WORKSPACE_NAME} help",
            address=f"support@{settings.MAIL_DOMAIN}",
            team=Team.objects.get(slug="support"),
            is_default=True,
        )
        Mailbox.objects.create(
            slug="billing",
            name=f"{settings.WORKSPACE_NAME} billing",
            address=f"billing@{settings.MAIL_DOMAIN}",
            team=Team.objects.get(slug="billing"),
        )
        billing = Topic.objects.create(slug="billing", name="An invoice or a payment")
        Topic.objects.create(slug="vat", name="VAT number", parent=billing, is_public=False)
        for slug, name in [("sign-in", "Signing in"), ("bank", "Bank data"), ("export", "Export"), ("other", "Something else")]:
            Topic.objects.create(slug=slug, name=name)
        for title, topic, body in ANSWERS:
            Answer.objects.create(
                title=title, topic=Topic.objects.get(slug=topic), body=body, language="en", updated_by=self.staff["omar"]
            )
        Subscription.objects.create(
            slug="account",
            name="About your account",
            opt_in=False,
            description="Cards, renewals and limits: what you need to keep working.",
        )
        Subscription.objects.create(slug="tips", name="Tips", opt_in=False, description="How others save time, twice a month.")
        Segment.objects.create(
            name="On trial", created_by=self.staff["mia"], conditions={"field": "stage", "op": "is", "value": "trial"}
        )
        consent.withdraw(self.customers["cleo"].pk, "tips", source="asked by mail", actor=self.staff["ana"])

    def campaigns(self) -> None:
        self.campaign(
            "Card expires soon",
            "account",
            "card_expiring",
            "card",
            [{"do": "send", "subject": "Your card ends soon", "body": CARD, "fallbacks": UNKNOWN, "too_late": None}],
        )
        self.campaign(
            "First steps",
            "tips",
            "signup",
            "",
            [
                {"do": "wait", "seconds": 24 * 3600},
                {
                    "do": "send",
                    "subject": "Three things for the first week",
                    "body": WELCOME,
                    "fallbacks": {"customer.name": "there"},
                    "too_late": None,
                },
            ],
        )

    def campaign(self, name: str, subscription: str, kind: str, key: str, steps: list[dict[str, object]]) -> None:
        mia = self.staff["mia"]
        made = Campaign.objects.create(
            name=name,
            subscription=Subscription.objects.get(slug=subscription),
            created_by=mia,
            topic=Topic.objects.get(slug="billing") if key else None,
        )
        version = campaigns.draft_of(made, by=mia)
        version.trigger_kind, version.entry_key, version.steps = kind, key, steps
        version.save()
        if not campaigns.problems(version):  # without a postal address it stays a draft, and its page says why
            campaigns.launch(version, by=mia)

    def ticket(
        self,
        who: str,
        subject: str,
        text: str,
        *,
        at: datetime,
        channel: str = "mail",
        kind: str = "Question",
        topic: str = "",
        tags: tuple[str, ...] = (),
        priority: str = "normal",
        answers: Outgoing | None = None,
    ) -> Ticket:
        customer = self.customers[who]
        with dates.moved(to=at):
            address = customer.addresses.get()
            made = open_ticket(
                customer,
                subject,
                Words(text, name=customer.name, address=address.shown),
                channel=channel,
                address=address,
                topic=Topic.objects.filter(slug=topic).first(),
                tags=tags,
                priority=priority,
                attributes={"type": kind},
                language=customer.language,
                answers=answers,
            )
        self.work(at)
        return made

    def happened(self, who: str, kind: str, key: str, *, at: datetime, **payload: str) -> None:
        with dates.moved(to=at):
            timeline.record_all([Fact(kind, self.customers[who].pk, at, "demo", payload, "demo", key)])
        self.work(at)

    def reply(self, ticket: Ticket, who: str, text: str, *, at: datetime, status: str = "") -> None:
        with dates.moved(to=at):
            replies.reply(ticket, text, by=self.staff[who], status=status)
        self.work(at + timedelta(minutes=1))

    def hear(self, ticket: Ticket, text: str, *, at: datetime) -> None:
        with dates.moved(to=at):
            hear(ticket, ticket.requester, Words(text, name=ticket.requester.name, address=ticket.requester.email))

    def work(self, at: datetime | None = None) -> None:
        """What the workers would have done by then; letters go into the data folder, never to a mail server."""
        line = FileTransport()
        with dates.moved(to=at or self.start):
            while clocks.run_due() or (
                dispatch.run_once() + meet_pending() + journeys.sweep() + sum(sender.send(lane, transport=line) for lane in Lane)
            ):
                continue

    def last_weeks(self) -> None:
        seat = self.ticket(
            "asa",
            "Second seat for our accountant",
            "Hello, may our accountant have a seat of her own without paying twice this month?",
            at=self.before(days=12),
            channel="form",
            topic="billing",
            tags=("billing",),
        )
        with dates.moved(to=self.before(days=12)):
            seat.assign(self.staff["ana"], by=self.staff["ana"])
        self.reply(
            seat,
            "ana",
            "Hello Åsa,\n\nyes: accountants have a free seat. I have added it; she got an invitation.\n\nAna",
            at=self.before(days=11.9),
            status="solved",
        )
        tips = self.ticket(
            "cleo",
            "Please, no more tips by mail",
            "I only want invoices. Everything else can stop.",
            at=self.before(days=9),
            kind="Task",
            tags=("consent",),
        )
        self.reply(tips, "ana", "Done, Cleo. Invoices only from now on.\n\nAna", at=self.before(days=8.9), status="solved")
        export = self.ticket(
            "maria",
            "Export stops at 10,000 lines",
            "Tried three times, each time the file ends at the same line. We need the whole year for the auditor.",
            at=self.before(days=2),
            topic="export",
            kind="Problem",
            tags=("export",),
        )
        with dates.moved(to=self.before(days=1.8)):
            export.assign(self.staff["ana"], by=self.staff["ana"])
            replies.note(
                export, "Known limit. A fix is planned for Thursday; until then *Export, by month* works.", by=self.staff["omar"]
            )
        self.reply(
            export,
            "ana",
            "Hello María-José,\n\nthe single file is cut at 10,000 lines; *Export, by month* is not. I "
            "write again when the limit is gone.\n\nAna",
            at=self.before(days=1.7),
            status="hold",
        )
        contract = self.ticket(
            "stadt",
            "Auftragsdatenverarbeitungsvereinbarung, neue Fassung",
            "Anbei die von unserer Datenschutzbeauftragten überarbeitete Fassung. Bitte bis Monatsende zeichnen.",
            at=self.before(days=1.5),
            kind="Task",
            tags=("contract",),
        )
        self.reply(
            contract,
            "omar",
            "Guten Tag,\n\nvielen Dank. Wir prüfen die Fassung und melden uns bis Freitag.\n\nOmar Haddad",
            at=self.before(days=1.2),
            status="pending",
        )
        self.happened("anneliese", "card_expiring", "demo-card-1", at=self.before(days=1.1), card="4242", expires="7 December")
        self.happened("kenji", "signup", "demo-signup-1", at=self.before(hours=20))
        for hours in range(19, 4, -3):  # at whatever hour this is told, what waited for the morning left in time
            self.work(self.before(hours=hours))

    def this_morning(self) -> None:
        sent = Outgoing.objects.filter(customer=self.customers["anneliese"], campaign_id__isnull=False).first()
        vat = self.ticket(
            "anneliese",
            "Re: Your card ends soon",
            "Thank you for the reminder. The new card is in. But since I saved "
            "it, our USt-IdNr. is missing on the invoice preview, and I cannot find the field any more.",
            at=self.before(hours=4),
            topic="vat",
            kind="Problem",
            tags=("billing", "vat"),
            answers=sent,
            priority="high",
        )
        with dates.moved(to=self.before(hours=3.7)):
            vat.assign(self.staff["ana"], by=self.staff["omar"])
            replies.note(
                vat,
                "Saving a card in German drops the number. The fix goes out Thursday. Until then: *Settings, "
                "Company, “Steuerangaben”*.",
                by=self.staff["omar"],
            )
        self.hear(
            vat,
            "Here it is. Our Rechtsschutzversicherungsgesellschaft will not pay without the number, and the month "
            "closes on Friday.",
            at=self.before(hours=3),
        )
        bank = self.ticket(
            "ben",
            "Sparkasse account shows nothing since Monday",
            "Is this the delay you wrote about? I would rather know before I call the bank.",
            at=self.before(hours=26),
            channel="form",
            topic="bank",
            kind="Incident",
            tags=("bank sync",),
        )
        self.reply(
            bank,
            "ana",
            "Hello Ben,\n\nthe bank answers late since Monday; nothing is lost. Can you see last week's bookings?\n\nAna",
            at=self.before(hours=25),
        )
        self.hear(bank, "Last week is there, this week is not.", at=self.before(hours=2.4))
        self.happened("ben", "card_expiring", "demo-card-2", at=self.before(hours=2), card="1881", expires="31 March")
        self.ticket(
            "wehr",
            "Zahlungserinnerung trotz bezahlter Rechnung",
            "Wir haben am 12. überwiesen und heute wieder eine Mahnung bekommen. Bitte klären Sie das, der Kassenprüfer wartet.",
            at=self.before(hours=1.5),
            topic="billing",
            kind="Problem",
            tags=("billing", "complaint"),
            priority="urgent",
        )
        self.ticket(
            "minh",
            "Can two people approve one payment?",
            "We are four now and I would like that nobody pays alone.",
            at=self.before(minutes=50),
            channel="form",
            tags=("how-to",),
        )
        self.ticket(
            "olu",
            "Locked out after changing my phone",
            "The code never arrives. I have a client waiting and cannot open a single invoice.",
            at=self.before(minutes=16),
            channel="form",
            topic="sign-in",
            kind="Problem",
            tags=("sign-in",),
        )
