"""The stage `monitor`: what was served, measured beside what was proven before."""
