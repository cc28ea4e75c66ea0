"""What runs a flow: hands it messages and does what it asks for, over one record layer."""

from pellucid.driver.failing import forget_variables
from pellucid.driver.run import Driver
from pellucid.driver.watching import trace_view

__all__ = ["Driver", "forget_variables", "trace_view"]
