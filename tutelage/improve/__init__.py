"""The stage `improve`: rated answers to proposed rows, which a person approves."""
