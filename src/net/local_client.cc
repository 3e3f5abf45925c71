// The in-memory transport: requests go to the handler by a function call. Tests and simulations use it in place of
// sockets.
#include <condition_variable>
#include <mutex>

#include "net/http.h"

namespace entente::net {
namespace {

// Shared with the replies, which may outlive the client.
struct Exchange {
  std::mutex mutex;
  std::condition_variable done;
  std::optional<Response> response;
  bool cancelled = false;
};

class LocalClient final : public Client {
 public:
  LocalClient(Handler handler, std::string peer_spki)
      : handler_(std::move(handler)), peer_spki_(std::move(peer_spki)) {}

  Result<Response> send(const Request& request, std::chrono::milliseconds timeout) override {
    Request r = request;
    r.peer_spki = peer_spki_;
    r.remote = "local";
    if (const size_t question = r.path.find('?'); question != std::string::npos && r.query.empty()) {
      r.query = r.path.substr(question + 1);
      r.path.resize(question);
    }
    auto exchange = std::make_shared<Exchange>();
    {
      const std::scoped_lock lock(mutex_);
      if (cancelled_) return make_error(ErrorKind::kUnavailable, "cancelled");
      current_ = exchange;
    }
    // The token answers 500 when the last copy of the reply goes without an answer, as the server does.
    std::shared_ptr<Exchange> token(exchange.get(),
                                    [exchange](Exchange*) { answer(*exchange, Response{500, {}, {}}); });
    {
      Reply reply = [token = std::move(token)](Response response) { answer(*token, std::move(response)); };
      try {
        handler_(std::move(r), std::move(reply));
      } catch (...) {
        answer(*exchange, Response{500, {}, {}});
      }
    }
    std::unique_lock lock(exchange->mutex);
    const bool in_time =
        exchange->done.wait_for(lock, timeout, [&] { return exchange->response.has_value() || exchange->cancelled; });
    if (exchange->response) {
      Response response = *std::move(exchange->response);
      lock.unlock();
      CHECK_OK(response.gather());
      if (request.method == "HEAD") response.body.clear();
      return response;
    }
    return make_error(ErrorKind::kUnavailable, in_time ? "cancelled" : "no answer in time", request.path);
  }

  void cancel() override {
    const std::scoped_lock lock(mutex_);
    cancelled_ = true;
    if (!current_) return;
    const std::scoped_lock inner(current_->mutex);
    current_->cancelled = true;
    current_->done.notify_all();
  }

 private:
  static void answer(Exchange& exchange, Response response) {
    const std::scoped_lock lock(exchange.mutex);
    if (!exchange.response) exchange.response = std::move(response);
    exchange.done.notify_all();
  }

  Handler handler_;
  std::string peer_spki_;
  std::mutex mutex_;
  std::shared_ptr<Exchange> current_;
  bool cancelled_ = false;
};

}  // namespace

std::unique_ptr<Client> make_local_client(Handler handler, std::string peer_spki) {
  return std::make_unique<LocalClient>(std::move(handler), std::move(peer_spki));
}

}  // namespace entente::net
