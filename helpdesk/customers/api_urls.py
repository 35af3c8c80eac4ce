from django.urls import path

from helpdesk.customers import api

urlpatterns = [
    path("customers", api.Customers.as_view(), name="api-customers"),
    path("customers/<int:pk>", api.OneCustomer.as_view(), name="api-customer"),
    path("customers/<int:pk>/consents", api.Consents.as_view(), name="api-consents"),
    path("events", api.Events.as_view(), name="api-events"),
    path("events/batch", api.EventBatch.as_view(), name="api-events-batch"),
]
