#include "config.h"

#include <doctest/doctest.h>

namespace imgcached {
namespace {

// Below 512 descriptors both servers together used to be given all of them.
TEST_CASE("the connections of both servers and their uploads fit into the descriptors") {
  for (const Role role : {Role::combined, Role::backend, Role::cache}) {
    CHECK_FALSE(plan_descriptors(0, role, 1));
    CHECK_FALSE(plan_descriptors(descriptors_min(1) - 1, role, 1));
    for (std::uint64_t descriptors = descriptors_min(1); descriptors < 50'000; ++descriptors) {
      const DescriptorPlan plan = *plan_descriptors(descriptors, role, 1);
      const std::size_t all = plan.backend_connections + plan.cache_connections + plan.upload_files;
      REQUIRE(all + 256 <= descriptors);
      REQUIRE(plan.upload_files >= 8);
      REQUIRE((role == Role::cache || plan.backend_connections >= 30));
      REQUIRE((role == Role::backend || plan.cache_connections >= 10));
    }
    CHECK(plan_descriptors(~std::uint64_t{0}, role, 1)->upload_files == 1'024);  // RLIM_INFINITY
  }
  CHECK(plan_descriptors(~std::uint64_t{0}, Role::combined, 1) == DescriptorPlan());
}

TEST_CASE("each loop of the backend has descriptors of its own, and connections") {
  for (std::size_t loops = 1; loops <= backend_loops_max; ++loops) {
    for (const Role role : {Role::combined, Role::backend}) {
      CHECK_FALSE(plan_descriptors(descriptors_min(loops) - 1, role, loops));
      for (const std::size_t descriptors : {descriptors_min(loops), std::size_t{100'000}}) {
        const DescriptorPlan plan = *plan_descriptors(descriptors, role, loops);
        const std::size_t all =
            plan.backend_connections + plan.cache_connections + plan.upload_files;
        CHECK(all + 256 + 48 * (loops - 1) <= descriptors);
        CHECK(plan.backend_connections / loops >= 20);
      }
    }
  }
}

TEST_CASE("bug: a process that may open 20,000 files can't hold 10,000 connections") {
  for (const Role role : {Role::combined, Role::backend}) {
    CHECK(plan_descriptors(20'000, role, 1)->backend_connections > 10'000);
  }
  CHECK(plan_descriptors(20'000, Role::cache, 1)->cache_connections > 10'000);
}

}  // namespace
}  // namespace imgcached
