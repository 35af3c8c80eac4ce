"""The addresses of topics and answers."""

from django.urls import path

from helpdesk.knowledge import views

urlpatterns = [
    path("knowledge/", views.knowledge, name="knowledge"),
    path("knowledge/answers/new/", views.answer_add, name="answer-add"),
    path("knowledge/answers/<int:pk>/", views.answer, name="answer"),
    path("knowledge/answers/<int:pk>/edit/", views.answer_edit, name="answer-edit"),
    path("knowledge/answers/<int:pk>/archive/", views.answer_archive, name="answer-archive"),
    path("knowledge/answers/<int:pk>/restore/", views.answer_restore, name="answer-restore"),
    path("knowledge/topics/new/", views.topic, name="topic-add"),
    path("knowledge/topics/<int:pk>/", views.topic, name="topic"),
    path("knowledge/topics/<int:pk>/archive/", views.topic_archive, name="topic-archive"),
    path("knowledge/topics/<int:pk>/restore/", views.topic_restore, name="topic-restore"),
]
