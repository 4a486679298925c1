use tasker::step_handler;

trait Mailer {}

#[step_handler("Billing::Charge")]
async fn charge(mailer: &dyn Mailer) {
    let _ = mailer;
}

fn main() {}
