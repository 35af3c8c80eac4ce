"""The API of tickets. It calls the same verbs as the pages, within the reach of its token."""

from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from helpdesk.accounts.models import ApiToken
from helpdesk.accounts.paging import BEFORE, KEY, LIMIT, known, page, whole
from helpdesk.accounts.tokens import idempotent, needs
from helpdesk.customers import identity
from helpdesk.customers.models import Address, Customer
from helpdesk.customers.payloads import BadPayload
from helpdesk.lib.html import from_text
from tickets import intake, replies, search
from tickets.access import ticket_for, tickets_for
from tickets.changes import change
from tickets.models import Channel, Priority, Status, Ticket, TicketClosed
from tickets.repeats import is_repeat
from tickets.serializers import (
    ChangesIn,
    ConflictOut,
    MessageIn,
    MessageOut,
    MessagePage,
    TicketIn,
    TicketOut,
    TicketPage,
)

TICKET_OUT = TicketOut()  # a serializer of a model finds its fields anew in each instance
NEEDS = needs(read="tickets:read", write="tickets:write")


class TokenRequest(Request):
    """A request that ``needs`` let through: a token stands behind it."""

    auth: ApiToken


class Closed(exceptions.APIException):
    status_code = 409
    default_code = "ticket_closed"


class Tickets(APIView):
    permission_classes = [NEEDS]

    @extend_schema(
        operation_id="tickets_list",
        responses=TicketPage,
        parameters=[
            OpenApiParameter("status", str, enum=Status.values),
            OpenApiParameter("requester", int, description="A customer's id."),
            OpenApiParameter(
                "q", str, description="As in the search box: words, a number, fields such as status:open tag:vip opened:<3d."
            ),
            LIMIT,
            BEFORE,
        ],
    )
    def get(self, request: TokenRequest) -> Response:
        """Tickets within the token's reach, newest number first; spam only where it is asked for."""
        known(request, {"status", "requester", "q"})
        text = request.query_params.get("q")
        try:
            rows = search.find(request.auth, text) if text and text.strip() else tickets_for(request.auth)
        except search.QueryError as error:
            raise exceptions.ValidationError({"q": [str(error)]}) from error
        if status := request.query_params.get("status"):
            if status not in Status.values:
                raise exceptions.ValidationError({"status": ["There is no such status."]})
            rows = rows.filter(status=status)
        elif not text:
            rows = rows.exclude(status=Status.SPAM)
        if "requester" in request.query_params:
            rows = rows.filter(requester=whole(request, "requester", 0))
        found, following = page(request, _dressed(rows), by="number")
        return Response({"results": TicketOut(found, many=True).data, "next": following})

    @extend_schema(operation_id="tickets_open", request=TicketIn, responses={201: TicketOut}, parameters=[KEY])
    @idempotent
    @transaction.atomic
    def post(self, request: TokenRequest) -> Response:
        """Open a ticket in a customer's name."""
        said = TicketIn(data=request.data)
        said.is_valid(raise_exception=True)
        data = said.validated_data
        customer, address = _requester(data["requester"], request.auth)
        words = intake.Words(data["text"], html=from_text(data["text"]), address=address.shown if address else "")
        ticket = intake.open_ticket(
            customer,
            data["subject"],
            words,
            channel=Channel.API,
            by=request.auth,
            address=address,
            team=request.auth.team,
            topic=data.get("topic"),
            priority=data.get("priority", Priority.NORMAL),
            tags=data.get("tags", ()),
            language=data.get("language", ""),
            attributes={key: value for key, value in data.get("attributes", {}).items() if value is not None},
        )
        return Response(TICKET_OUT.to_representation(ticket), status=201)


class OneTicket(APIView):
    permission_classes = [NEEDS]

    @extend_schema(operation_id="tickets_read", responses=TicketOut)
    def get(self, request: TokenRequest, number: int) -> Response:
        return Response(TicketOut(ticket_for(request.auth, number)).data)

    @extend_schema(
        operation_id="tickets_change", request=ChangesIn, responses={200: TicketOut, 409: ConflictOut}, parameters=[KEY]
    )
    @idempotent
    def patch(self, request: TokenRequest, number: int) -> Response:
        """Change status, assignee (by email), priority, team, topic, language, tags or `attributes` (null empties one)."""
        ticket = ticket_for(request.auth, number, to="change")
        said = ChangesIn(ticket, data=request.data)
        said.is_valid(raise_exception=True)
        if request.auth.team_id and "team" in said.validated_data and said.validated_data["team"] != request.auth.team:
            raise exceptions.ValidationError({"team": ["This token works for one team and cannot give tickets away."]})
        try:
            change(ticket, said.validated_data, by=request.auth)
        except TicketClosed as error:
            raise Closed(str(error)) from error
        except BadPayload as error:
            raise exceptions.ValidationError({"attributes": [str(error)]}) from error
        return Response(TicketOut(ticket).data)


class Messages(APIView):
    permission_classes = [NEEDS]

    @extend_schema(operation_id="ticket_messages_list", responses=MessagePage, parameters=[LIMIT, BEFORE])
    def get(self, request: TokenRequest, number: int) -> Response:
        """What was said, newest first, notes included."""
        known(request, ())
        rows = ticket_for(request.auth, number).messages.select_related("user", "customer").prefetch_related("attachments__blob")
        found, following = page(request, rows)
        return Response({"results": MessageOut(found, many=True).data, "next": following})

    @extend_schema(
        operation_id="ticket_messages_write", request=MessageIn, responses={201: MessageOut, 409: ConflictOut}, parameters=[KEY]
    )
    @idempotent
    def post(self, request: TokenRequest, number: int) -> Response:
        """Reply to everybody on the ticket, or keep a note for the team."""
        said = MessageIn(data=request.data)
        said.is_valid(raise_exception=True)
        data: dict[str, Any] = dict(said.validated_data)
        kind, text = data.pop("kind"), data.pop("text")
        ticket = ticket_for(request.auth, number, to=kind)
        try:
            message = (
                replies.note(ticket, text, by=request.auth)
                if kind == "note"
                else replies.reply(ticket, text, by=request.auth, **data)
            )
        except replies.NewerMessages as newer:
            return Response({"detail": str(newer), "messages": MessageOut(newer.messages, many=True).data}, status=409)
        except TicketClosed as error:
            raise Closed(str(error)) from error
        except (replies.NoAddress, identity.BadAddress) as error:
            raise exceptions.ValidationError({"cc": [str(error)]}) from error
        return Response(MessageOut(message).data, status=201)


def _dressed(rows: QuerySet[Ticket]) -> QuerySet[Ticket]:
    beside = ("requester", "address", "assignee", "team", "topic")
    return rows.select_related(*beside).prefetch_related("clocks__policy").annotate(repeat=is_repeat())


def _requester(said: dict[str, Any], token: ApiToken) -> tuple[Customer, Address | None]:
    """The customer that a caller names, and the address that we answer to. Raises ValidationError for one we do not know."""
    if "email" in said:
        try:
            address = identity.address_for(said["email"], said.get("name", ""), actor=token)
        except identity.BadAddress as error:
            raise exceptions.ValidationError({"requester": {"email": [str(error)]}}) from error
        return address.customer, address
    field = "id" if "id" in said else "external_id"
    found = Customer.objects.filter(**{field: said[field]}).first()
    if found is None:
        raise exceptions.ValidationError({"requester": {field: ["There is no such customer."]}})
    return found, Address.objects.filter(customer=found, channel="email").order_by("-is_primary", "id").first()
