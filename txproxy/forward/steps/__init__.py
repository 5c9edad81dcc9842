"""The steps that a request passes before anybody is dialled."""
