"""The addresses of customers' pages."""

from django.urls import path

from helpdesk.customers import segment_views, views

urlpatterns = [
    path("customers/", views.customers, name="customers"),
    path("customers/new/", views.add, name="customer-add"),
    path("customers/<int:pk>/", views.customer, name="customer"),
    path("customers/<int:pk>/edit/", views.edit, name="customer-edit"),
    path("customers/<int:pk>/consent/", views.say, name="customer-consent"),
    path("customers/<int:pk>/consents/", views.consents, name="customer-consents"),
    path("customers/<int:pk>/addresses/<int:address>/suppress/", views.suppress, name="address-suppress"),
    path("customers/<int:pk>/addresses/<int:address>/lift/", views.lift, name="address-lift"),
    path("segments/", segment_views.segment_list, name="segments"),
    path("segments/new/", segment_views.segment, name="segment-add"),
    path("segments/meant/", segment_views.meant, name="segment-meant"),
    path("segments/<int:pk>/", segment_views.segment, name="segment"),
]
