"""The second half of ./quickstart: start, send, read, and say how to look.

Exit status 0: the mail went from Ada to Grace.  Otherwise the last lines say
what was tried and what went wrong.
"""
import os
import signal
import sys

TESTS = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(TESTS)
sys.path.insert(0, TESTS)

from rig.gatepost import Gatepost  # noqa: E402
from rig.proc import RigError, wait_until  # noqa: E402
from rig.smtp import message  # noqa: E402

ADA, ADA_PASSWORD = "ada", "ada-demo"
ADA_MAIL = "ada.lovelace@example.test"
GRACE, GRACE_PASSWORD = "grace", "grace-demo"
GRACE_MAIL = "grace.hopper@example.test"
SUBJECT = "Hello from quickstart"

LOOK = """
Gatepost is running.  To look around with Thunderbird (or any other client):

    account       {mail}
    user name     {user}        password  {password}
    incoming      IMAP, 127.0.0.1, port {imaps}, SSL/TLS, normal password
    outgoing      SMTP, 127.0.0.1, port {submissions}, SSL/TLS, normal password
    certificate   made for this run by {ca}
                  (import that authority, or confirm the exception)

    other people  ada / ada-demo, alan / alan-demo (see conf/demo.ldif)
    mail from outside comes in at 127.0.0.1, port {smtp}
    log           {log}
    configuration {conf}
    commands      {cli} -c {conf} status
                  {cli} -c {conf} explain rcpt {mail}

Ctrl-C stops it and removes everything.
"""


def step(text):
    print("  " + text, flush=True)


def round_trip(gp):
    with gp.submission(ADA, ADA_PASSWORD) as c:
        step("Ada logged in to submission (TLS, port %d)"
             % gp.ports["submissions"])
        reply = c.deliver(ADA_MAIL, [GRACE_MAIL], message(
            "Ada Lovelace <%s>" % ADA_MAIL, GRACE_MAIL, SUBJECT,
            "It works.\n"))
        step("Ada sent a mail to Grace: %r" % reply)
    with gp.imap(GRACE, GRACE_PASSWORD) as c:
        step("Grace logged in to IMAP (TLS, port %d)" % gp.ports["imaps"])
        subjects = c.subjects()
        if subjects.count(SUBJECT) != 1:
            raise RigError("Grace's INBOX has %r" % subjects)
        body = list(c.bodies().values())[-1]
        if b"It works." not in body:
            raise RigError("Grace's mail is %r" % body)
        step('Grace found "%s" in her INBOX' % SUBJECT)


def stay(gp):
    """Until Ctrl-C or SIGTERM, or until the supervisor ends by itself."""
    signals = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    wait_until(lambda: signal.sigtimedwait(signals, 1.0)
               or not gp.daemon.running(), "Ctrl-C", patience=float("inf"),
               step=0)
    if not gp.daemon.running():
        raise RigError("gatepostd ended\n" + gp.log()[-2000:])
    print("\nStopping ...")


def main(args):
    if args not in ([], ["--check"]):
        sys.exit("usage: ./quickstart [--check]")
    build = os.path.join(TOP, "build")
    gp = None
    try:
        gp = Gatepost(build=build, ldif=os.path.join(TOP, "conf/demo.ldif"),
                      settings={"postmaster": ADA_MAIL})
        step("starting in " + gp.folder)
        gp.start()
        round_trip(gp)
        if not args:
            print(LOOK.format(
                mail=GRACE_MAIL, user=GRACE, password=GRACE_PASSWORD,
                ca=gp.ca, log=gp.log_file, conf=gp.conf,
                cli=os.path.join(build, "gatepost"), **gp.ports), flush=True)
            stay(gp)
        gp.stop()
    except (RigError, OSError) as e:
        log = gp.log()[-2000:] if gp else ""
        sys.exit("%s\nquickstart failed: %s" % (log, e))
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        if gp:
            gp.close()
    print("All is well." if args else "Stopped.")


main(sys.argv[1:])
