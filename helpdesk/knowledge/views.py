"""Pages of topics and answers."""

from collections.abc import Callable

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from helpdesk.accounts.access import AGENTS, EVERYONE, MANAGERS, StaffRequest, staff
from helpdesk.accounts.seen import audited, seen, turn
from helpdesk.knowledge.forms import AnswerForm, TopicForm
from helpdesk.knowledge.models import Answer, Tied, Topic
from helpdesk.lib import html

FORM = ["GET", "HEAD", "POST"]
PAGE = 100


@require_safe
@staff(*EVERYONE)
def knowledge(request: StaffRequest) -> HttpResponse:
    """The tree of topics, and the answers of one of them with all below it, or of all."""
    topics = Topic.objects.tree()
    wanted = request.GET.get("topic", "")
    topic = next((each for each in topics if str(each.pk) == wanted), None)
    archived = "archived" in request.GET
    answers = Answer.objects.archived() if archived else Answer.objects.living()
    panels = []
    if topic:
        below = topic.with_descendants()
        answers = answers.filter(topic__in=below)
        panels = [panel for name in settings.TOPIC_PANELS if (panel := import_string(name)(below, request))]
    if text := request.GET.get("q", "").replace("\0", "").strip()[:200]:
        answers = answers.saying(text)
    page = list(answers.select_related("topic", "updated_by")[: PAGE + 1])
    context = {
        "topics": topics,
        "topic": topic,
        "answers": page[:PAGE],
        "too_many": len(page) > PAGE,
        "text": text,
        "archived": archived,
        "panels": panels,
    }
    return render(request, "knowledge/knowledge.html", context)


@require_http_methods(FORM)
@staff(*AGENTS)
def answer_add(request: StaffRequest) -> HttpResponse:
    form = AnswerForm(request.POST or None, initial={"topic": request.GET.get("topic")})
    if request.method == "POST" and form.is_valid():
        return redirect("answer", form.keep(by=request.user).pk)
    return render(request, "knowledge/answer_form.html", {"form": form, "answer": None}, status=422 if form.errors else 200)


@require_safe
@staff(*EVERYONE)
def answer(request: StaffRequest, pk: int) -> HttpResponse:
    """One answer as a customer will read it."""
    found = get_object_or_404(Answer.objects.select_related("topic", "updated_by"), pk=pk)
    return render(request, "knowledge/answer_detail.html", {"answer": found, "body": html.from_markdown(found.body)})


@require_http_methods(FORM)
@staff(*AGENTS)
def answer_edit(request: StaffRequest, pk: int) -> HttpResponse:
    with turn(request, f"answer:{pk}"):
        form = AnswerForm(request.POST or None, instance=get_object_or_404(Answer, pk=pk))
        known = seen(request, form, audited(f"answer:{pk}"))
        if request.method == "POST" and form.is_valid() and not known.newer:
            form.keep(by=request.user)
            messages.success(request, _("Saved"))
            return redirect("answer", pk)
    context = {"form": form, "answer": Answer.objects.get(pk=pk), "seen": known}
    return render(request, "knowledge/answer_form.html", context, status=known.status(form.errors))


@require_POST
@staff(*AGENTS)
def answer_archive(request: StaffRequest, pk: int) -> HttpResponse:
    """Out of the composer; its page says so and has the way back."""
    get_object_or_404(Answer, pk=pk).archive(by=request.user)
    return redirect("answer", pk)


@require_POST
@staff(*AGENTS)
def answer_restore(request: StaffRequest, pk: int) -> HttpResponse:
    get_object_or_404(Answer, pk=pk).restore(by=request.user)
    return redirect("answer", pk)


@require_http_methods(FORM)
@staff(*MANAGERS)
def topic(request: StaffRequest, pk: int | None = None) -> HttpResponse:
    """A new topic, or another name or place for one; tickets and answers stay with it."""
    with turn(request, "topics"):  # of the whole tree: two moves at once make no circle
        form = TopicForm(request.POST or None, instance=get_object_or_404(Topic, pk=pk) if pk else None)
        known = seen(request, form, audited(f"topic:{pk}"))
        if request.method == "POST" and form.is_valid() and not known.newer:
            kept = form.keep(by=request.user)
            messages.success(request, _("Saved"))
            return redirect(f"{reverse('knowledge')}?topic={kept.pk}")
    context = {"form": form, "topic": Topic.objects.get(pk=pk) if pk else None, "seen": known}
    return render(request, "knowledge/topic_form.html", context, status=known.status(form.errors))


@require_POST
@staff(*MANAGERS)
def topic_archive(request: StaffRequest, pk: int) -> HttpResponse:
    """Nobody can choose it any more; what has it keeps it, and its page has the way back."""
    return _put(request, pk, Topic.archive)


@require_POST
@staff(*MANAGERS)
def topic_restore(request: StaffRequest, pk: int) -> HttpResponse:
    return _put(request, pk, Topic.restore)


def _put(request: StaffRequest, pk: int, verb: Callable[..., bool]) -> HttpResponse:
    with turn(request, "topics"):
        try:
            verb(get_object_or_404(Topic.objects.select_related("parent"), pk=pk), by=request.user)
        except Tied as error:
            messages.error(request, str(error))
    return redirect("topic", pk)
