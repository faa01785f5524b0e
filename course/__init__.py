"""The course: notebooks that explain, exercises in them, and checks that say what is wrong with an answer.

A notebook asks ``course.check``, which knows the checks of all exercises: ``checks/``, a file for each
notebook. ``solutions/`` has one answer to each exercise. Nothing else imports the course.
"""
