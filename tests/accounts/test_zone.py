"""Two colleagues in two zones read the same ticket, each on their own clock."""

from datetime import UTC, date, datetime

import pytest

from helpdesk.accounts import presence
from helpdesk.accounts.models import AuditEntry, Calendar
from helpdesk.customers.models import Customer, Segment
from helpdesk.lib import dates
from tickets import intake


@pytest.mark.django_db
def test_times_are_the_readers_own(browser, ana, mia, ben: Customer, support):
    with dates.moved(to=datetime(2026, 11, 20, 9, 15, tzinfo=UTC)):
        ticket = intake.open_ticket(ben, "Hello", intake.Words("Anybody there?"), channel="form")
        ana.zone = "Asia/Kolkata"
        ana.save()
        mia.zone = "no/such"
        mia.save()
        theirs, ours = (browser(who).get(f"/tickets/{ticket.number}/").content.decode() for who in (ana, mia))
    assert ">14:45<" in theirs and ">09:15<" not in theirs
    assert ">09:15<" in ours


@pytest.mark.django_db
def test_a_time_says_whose_it_is_where_it_is_not_the_readers(browser, ana, omar, mia, support):
    for who, name in ((ana, "Europe/Berlin"), (omar, "Europe/Berlin"), (mia, "Europe/Lisbon")):
        who.zone, who.role = name, who.role if who == mia else "manager"
        who.save()
    support.team.members.add(ana)
    office = Calendar.objects.create(name="Office", zone="Europe/Berlin", week=[[[540, 1020]]] * 5 + [[], []], is_default=True)
    at = {"field": "created", "op": "before", "value": "2026-11-20T12:00:00Z"}
    early = Segment.objects.create(name="Early", conditions=at)
    with dates.moved(to=datetime(2026, 11, 20, 9, 15, tzinfo=UTC), still=True):
        presence.add_absence(ana, date(2026, 11, 20), date(2026, 11, 22), "Sea", by=ana)
        berlin, lisbon = (
            [browser(who).get(url).content.decode() for url in
             (f"/who/teams/{support.team.pk}/", f"/who/{ana.pk}/", f"/calendars/{office.pk}/", f"/segments/{early.pk}/")]
            for who in (omar, mia)
        )  # fmt: skip
    assert all("Times are in Europe/Berlin" in page for page in berlin)
    assert all("Times are in Europe/Lisbon" in page for page in lisbon)
    assert ">Mon 09:00<" in berlin[0] and ">Mon 08:00<" in lisbon[0]
    assert "Days begin and end in Europe/Berlin, the zone of Ana" in lisbon[1] and "Days begin and end" not in berlin[1]
    assert "until Fri 17:00 (Europe/Berlin)" in lisbon[2] and "(Europe/Berlin)" not in berlin[2]
    fixed = "known since is before Nov. 20, 2026, noon"
    assert f"{fixed} (UTC)" in berlin[3] and fixed in lisbon[3] and f"{fixed} (" not in lisbon[3]  # the workspace's clock


@pytest.mark.django_db
def test_one_sets_ones_own_zone_and_absences_keep_their_days(browser, ana, omar, ben: Customer, support):
    with dates.moved(to=datetime(2026, 11, 20, 9, 15, tzinfo=UTC), still=True):
        ticket = intake.open_ticket(ben, "Hello", intake.Words("Anybody there?"), channel="form")
        for first, last in ((1, 2), (2, 3)):
            presence.add_absence(ana, date(2026, 12, first), date(2026, 12, last), "Sea", by=ana)
        page = browser(ana)
        wrong = page.post("/who/zone/", {"zone": "Berlin, Europe"})
        assert wrong.status_code == 422 and "We do not know this time zone." in wrong.content.decode()
        assert 'value="Berlin, Europe"' in wrong.content.decode()
        for zone in ("Asia/Kolkata", "Pacific/Pago_Pago", "Pacific/Tongatapu"):  # the last two a whole day apart
            for _twice in range(2):
                assert page.post("/who/zone/", {"zone": zone}).url == f"/who/{ana.pk}/"
            ana.refresh_from_db()
            assert ana.zone == zone
            days = [presence.days_of(row, ana) for row in ana.absences.all()]
            assert days == [(date(2026, 12, first), date(2026, 12, first + 1)) for first in (1, 2)]
        assert ">22:15<" in page.get(f"/tickets/{ticket.number}/").content.decode()
        told = AuditEntry.objects.filter(subject=ana.ref, action="person.changed")
        assert told.count() == 3 and told.latest("id").after == {"zone": "Pacific/Tongatapu"}
        own, other = (browser(who).get(f"/who/{ana.pk}/").content.decode() for who in (ana, omar))
        assert "Your time zone" in own and "Your time zone" not in other
        change = {"name": ana.name, "email": ana.email, "role": "agent", "reach": "all", "zone": ""}
        assert browser(omar).post(f"/people/{ana.pk}/", change).status_code == 302
        ana.refresh_from_db()
        assert presence.days_of(ana.absences.latest("starts_at"), ana) == (date(2026, 12, 2), date(2026, 12, 3))
