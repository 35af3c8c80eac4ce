"""The addresses of customers' pages."""

from django.urls import path

from helpdesk.customers import company_views, segment_views, setup_views, views

urlpatterns = [
    path("customers/", views.customers, name="customers"),
    path("customers/new/", views.add, name="customer-add"),
    path("customers/<int:pk>/", views.customer, name="customer"),
    path("customers/<int:pk>/edit/", views.edit, name="customer-edit"),
    path("customers/<int:pk>/consent/", views.say, name="customer-consent"),
    path("customers/<int:pk>/consents/", views.consents, name="customer-consents"),
    path("customers/<int:pk>/addresses/<int:address>/suppress/", views.suppress, name="address-suppress"),
    path("customers/<int:pk>/addresses/<int:address>/lift/", views.lift, name="address-lift"),
    path("companies/", company_views.companies, name="companies"),
    path("companies/<int:pk>/", company_views.company, name="company"),
    path("companies/<int:pk>/edit/", company_views.edit, name="company-edit"),
    path("segments/", segment_views.segment_list, name="segments"),
    path("segments/new/", segment_views.segment, name="segment-add"),
    path("segments/<int:pk>/", segment_views.segment, name="segment"),
    path("subscriptions/", setup_views.subscriptions, name="subscriptions-set-up"),
    path("subscriptions/new/", setup_views.subscription, name="subscription-add"),
    path("subscriptions/<int:pk>/", setup_views.subscription, name="subscription"),
    path("fields/", setup_views.fields, name="fields"),
    path("fields/new/", setup_views.field, name="field-add"),
    path("fields/<int:pk>/", setup_views.field, name="field"),
    path("fields/<int:pk>/remove/", setup_views.field_remove, name="field-remove"),
    path("fields/<int:pk>/restore/", setup_views.field_restore, name="field-restore"),
]
