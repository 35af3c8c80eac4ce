"""What is set up has a name that nothing else of its kind could be taken for, and fields keys that mean one thing."""

import threading

import pytest
from django.db import connection

from helpdesk.accounts.models import Skill, Team
from helpdesk.customers.models import FieldDefinition
from tickets.models import EscalationPath

FIELD = {"subject": "ticket", "type": "text", "target": "", "key": "one"}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("url", "name", "more", "model"),
    [
        ("/skills/new/", "name", {}, Skill),
        ("/teams/new/", "name", {"mode": "manual"}, Team),
        ("/escalation/new/", "name", {"to0": "user:%d"}, EscalationPath),
        ("/fields/new/", "label", FIELD, FieldDefinition),
    ],
)
def test_a_name_that_differs_in_case_and_blanks_alone_is_refused_beside_the_one_it_is(browser, omar, url, name, more, model):
    page, more = browser(omar), {key: value % omar.pk if "%d" in value else value for key, value in more.items()}
    assert page.post(url, {name: " Second  level ", **more}).status_code == 302
    more |= {"key": "two"} if "key" in more else {}
    kept = model.objects.get(**{name: "Second level"})
    for again in ("second level", "SECOND   LEVEL ", "Second level"):
        answer = page.post(url, {name: again, **more})
        assert answer.status_code == 422 and "There is “Second level” already." in answer.content.decode(), again
    assert page.post(url, {name: "Third level", **more}).status_code == 302
    own = url.replace("new", str(kept.pk))
    assert page.post(own, {name: "SECOND level", **more}).status_code == 302  # its own name, written another way
    model.objects.filter(**{name: "Third level"}).update(**{name: "second LEVEL"})  # two from before
    assert page.post(own, {name: "SECOND level", **more}).status_code == 302


@pytest.mark.django_db
def test_another_object_may_have_a_field_of_the_same_name(browser, omar):
    page = browser(omar)
    for subject in ("ticket", "customer"):
        assert page.post("/fields/new/", {**FIELD, "label": "Plan", "key": "plan", "subject": subject}).status_code == 302


@pytest.mark.django_db(transaction=True)
def test_two_who_add_it_at_once_are_told_of_each_other(browser, omar, mia):
    pages, codes, start = [browser(omar), browser(omar)], [], threading.Barrier(2)

    def add(page, name):
        start.wait()
        codes.append(page.post("/skills/new/", {"name": name}).status_code)
        connection.close()

    threads = [threading.Thread(target=add, args=pair) for pair in zip(pages, ("German", "german"), strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [302, 422] and Skill.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("subject", "key", "said"),
    [
        ("ticket", "status", "is a name of ours"),
        ("ticket", "Tag", "is a name of ours"),  # another name of `tags` in the search box
        ("company", "urgent", "is a name of ours"),  # is:urgent
        ("customer", "before", "is a name of ours"),
        ("customer", "first_name", "is a name of ours"),  # {{ customer.first_name }}
        ("ticket", "plan", "The field “Plan” has the key Plan."),
    ],
)
def test_a_key_means_one_thing(browser, omar, subject, key, said):
    FieldDefinition.objects.create(subject="ticket", key="Plan", label="Plan", type="text")
    answer = browser(omar).post("/fields/new/", {**FIELD, "subject": subject, "key": key, "label": "Something"})
    assert answer.status_code == 422 and said in answer.content.decode() and FieldDefinition.objects.count() == 1
