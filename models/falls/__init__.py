"""Falls by physics: their causes, scenes, controller, simulation, what comes after, and what only looks like one."""
