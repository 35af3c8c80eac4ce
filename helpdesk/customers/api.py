"""The API of customers, what happened to them, and what they allowed."""

from dataclasses import asdict
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from helpdesk.accounts.paging import BEFORE, KEY, LIMIT, MOST, known, page
from helpdesk.accounts.tokens import idempotent, needs
from helpdesk.customers import consent, identity
from helpdesk.customers.addresses import BadAddress, canonical
from helpdesk.customers.ingest import Reported, ingest
from helpdesk.customers.models import Consent, Customer, Subscription
from helpdesk.customers.payloads import BadPayload
from helpdesk.customers.serializers import (
    BatchIn,
    BatchOut,
    ConsentIn,
    ConsentOut,
    CustomerIn,
    CustomerOut,
    CustomerPage,
    EventIn,
    EventOut,
    UpsertedOut,
)

UPSERTED = {200: UpsertedOut, 201: UpsertedOut}


class Conflict(exceptions.APIException):
    status_code = 409
    default_code = "address_taken"


def customers() -> QuerySet[Customer]:
    return Customer.objects.select_related("company").prefetch_related("addresses")


class Customers(APIView):
    permission_classes = [needs(read="customers:read", write="customers:write")]

    @extend_schema(
        operation_id="customers_list",
        responses=CustomerPage,
        parameters=[
            OpenApiParameter("external_id", str),
            OpenApiParameter("email", str),
            LIMIT,
            BEFORE,
        ],
    )
    def get(self, request: Request) -> Response:
        """Customers, newest first; or the one of an external id or email."""
        known(request, {"external_id", "email"})
        rows = customers()
        if (external_id := request.query_params.get("external_id")) is not None:
            rows = rows.filter(external_id=external_id) if "\0" not in external_id else rows.none()
        if (email := request.query_params.get("email")) is not None:
            try:
                rows = rows.filter(addresses__channel="email", addresses__canonical=canonical(email))
            except BadAddress as error:
                raise exceptions.ValidationError({"email": [str(error)]}) from error
        found, following = page(request, rows)
        return Response({"results": CustomerOut(found, many=True).data, "next": following})

    @extend_schema(operation_id="customers_upsert", request=CustomerIn, responses=UPSERTED, parameters=[KEY])
    @idempotent
    def post(self, request: Request) -> Response:
        """Create a customer or change the one we know; says which it was, what changed, and what was left out."""
        said = CustomerIn(data=request.data)
        said.is_valid(raise_exception=True)
        try:
            result = identity.upsert(
                said.profile(),
                external_id=said.validated_data.get("external_id"),
                emails=said.validated_data.get("emails", ()),
                actor=request.auth,
            )
        except identity.AddressTaken as error:
            raise Conflict(str(error)) from error
        except BadAddress as error:
            raise exceptions.ValidationError({"emails": [str(error)]}) from error
        except BadPayload as error:
            raise exceptions.ValidationError({"attributes": [str(error)]}) from error
        body = {
            "customer": CustomerOut(customers().get(pk=result.customer.pk)).data,
            "created": result.created,
            "changed": sorted(result.changed),
            "warnings": result.warnings,
        }
        return Response(body, status=201 if result.created else 200)

    @extend_schema(operation_id="customers_put", request=CustomerIn, responses=UPSERTED, parameters=[KEY])
    def put(self, request: Request) -> Response:
        """The same as POST."""
        return self.post(request)


class OneCustomer(APIView):
    permission_classes = [needs(read="customers:read", write="customers:write")]

    @extend_schema(operation_id="customers_read", responses=CustomerOut)
    def get(self, request: Request, pk: int) -> Response:
        return Response(CustomerOut(get_object_or_404(customers(), pk=pk)).data)


class Consents(APIView):
    permission_classes = [needs(read="customers:read", write="customers:write")]

    @extend_schema(operation_id="consents_list", responses=ConsentOut(many=True))
    def get(self, request: Request, pk: int) -> Response:
        """What the customer allowed and took back, newest first: the last 200 entries of the ledger."""
        customer = get_object_or_404(Customer, pk=pk)
        rows = Consent.objects.filter(customer=customer).select_related("subscription").order_by("-id")[:MOST]
        return Response(ConsentOut(rows, many=True).data)

    @extend_schema(operation_id="consents_record", request=ConsentIn, responses={200: None, 201: ConsentOut}, parameters=[KEY])
    @idempotent
    @transaction.atomic
    def post(self, request: Request, pk: int) -> Response:
        """Record consent or its withdrawal; 200 with nothing when that is the state already."""
        said = ConsentIn(data=request.data)
        said.is_valid(raise_exception=True)
        facts: dict[str, Any] = dict(said.validated_data)
        customer = get_object_or_404(Customer, pk=pk)
        try:
            subscription = Subscription.objects.get(slug=facts.pop("subscription"))
        except Subscription.DoesNotExist:
            raise exceptions.ValidationError({"subscription": ["There is no such subscription."]}) from None
        if facts.pop("given"):
            row = consent.give(customer.pk, subscription, actor=request.auth, **facts)
        else:
            facts = {key: value for key, value in facts.items() if key not in ("basis", "expires_at")}
            row = consent.withdraw(customer.pk, subscription, actor=request.auth, **facts)
        return Response(ConsentOut(row).data, status=201) if row else Response(status=200)


class Events(APIView):
    permission_classes = [needs(write="events:write")]

    @extend_schema(operation_id="events_record", request=EventIn, responses={200: EventOut, 201: EventOut})
    def post(self, request: Request) -> Response:
        """Record one event; 200 when its source and id are known already."""
        [row] = _record([request.data], request)
        if row["status"] == "rejected":
            raise exceptions.ValidationError(row["errors"])
        return Response(row, status=201 if row["status"] == "accepted" else 200)


class EventBatch(APIView):
    permission_classes = [needs(write="events:write")]

    @extend_schema(operation_id="events_record_batch", request=BatchIn, responses={200: BatchOut})
    def post(self, request: Request) -> Response:
        """Record up to 500 events; each row is accepted, a duplicate, or rejected alone with its errors, in your order."""
        said = BatchIn(data=request.data)
        said.is_valid(raise_exception=True)
        rows = _record(said.validated_data["events"], request)
        counts = {status: sum(row["status"] == status for row in rows) for status in ("accepted", "duplicate", "rejected")}
        return Response({**counts, "results": rows})


def _record(rows: list[Any], request: Request) -> list[dict[str, Any]]:
    """Check each row by itself, record the good ones together, and say what became of every one."""
    checker = EventIn()  # one for all rows: making one costs more than checking a row
    said: list[dict[str, Any]] = []
    reports: list[Reported] = []
    for row in rows:
        try:
            reports.append(Reported(**checker.run_validation(row)))
            said.append({})
        except exceptions.ValidationError as error:
            said.append({"status": "rejected", "errors": error.detail})
    outcomes = iter(ingest(reports, actor=request.auth))
    for answer in said:
        if not answer:
            outcome = next(outcomes)
            unknown = {"status": "rejected", "errors": {"customer": {"id": ["There is no such customer."]}}}
            answer |= asdict(outcome) if outcome else unknown
    return said
